"""`fedmed report`: one page about a run, or about many side by side."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from fedmed.cli.arguments import Parser, add_better
from fedmed.headline import Better

SEVERAL = Path("report")
"""Where the page of several folders goes."""


def main(arguments: list[str]) -> int:
    """Writes the page and its tables, and says where they are."""
    parser = Parser("report", "Writes one page about a run, or about all runs in a folder, with tables and figures.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="a run's directory, or a folder of them")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to (default: DIR; of several, ./report)")
    parser.add_argument("--metric", help="the headline metric, such as auc (default: that of the runs)")
    add_better(parser)
    parser.add_argument("--reference", metavar="ARM", help="what the others are compared with (default: fedavg)")
    parser.add_argument("--force", action="store_true", help="compare runs that differ in data or code, and say so")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    given = parser.parse_args(arguments)
    folder = given.output or (given.paths[0] if len(given.paths) == 1 else SEVERAL)
    page = build(
        given.paths,
        folder,
        metric=given.metric,
        reference=given.reference,
        force=given.force,
        better=given.better,
    )
    print(f"wrote {page}")
    if given.open:
        show(page)
    return 0


def build(
    paths: Sequence[Path],
    folder: Path,
    *,
    metric: str | None = None,
    reference: str | None = None,
    force: bool = False,
    better: Better | None = None,
) -> Path:
    """Writes page, tables and figures of the runs at the paths into the folder; the page's path."""
    from fedmed.comparison.read import read
    from fedmed.comparison.summary import summarise
    from fedmed.report import page, tables

    summary = summarise(read(paths, metric=metric, reference=reference, force=force, better=better))
    tables.write_summary(summary, folder)
    return page.write_summary(summary, folder)


def show(page: Path) -> None:
    """Opens the page in the browser, or says that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        print(f"fedmed: no browser to open it in; open {page} yourself", file=sys.stderr)
