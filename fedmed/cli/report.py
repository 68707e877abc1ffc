"""`fedmed report`: one page about a run, or about many side by side; and one that leads to all runs in a folder."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from fedmed.cli.arguments import Parser, add_better

DESCRIPTION = (
    "Writes one page about a run, or about all runs in a folder, with tables and figures; of a folder also index.html, "
    "which tells of every run and comparison in it, whatever became of them, and leads to their pages."
)

SEVERAL = Path("report")
"""Where the page of several folders goes."""


def main(arguments: list[str]) -> int:
    """Writes the page and its tables, and says where they are."""
    parser = Parser("report", DESCRIPTION)
    parser.add_argument("paths", nargs="+", type=Path, metavar="DIR", help="a run's directory, or a folder of them")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to (default: DIR; of several, ./report)")
    parser.add_argument(
        "--metric", help="the headline metric, such as auc or client.worst.auc (default: that of the runs)"
    )
    add_better(parser)
    parser.add_argument("--reference", metavar="ARM", help="what the others are compared with (default: fedavg)")
    parser.add_argument("--force", action="store_true", help="compare runs that differ in data or code, and say so")
    parser.add_argument("--each", action="store_true", help="of a folder: write the page of every finished run as well")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    given = parser.parse_args(arguments)
    folder = given.output or (given.paths[0] if len(given.paths) == 1 else SEVERAL)
    page = _folder(given, folder) if len(given.paths) == 1 and _holds_runs(given.paths[0]) else _page(given, folder)
    if given.open:
        show(page)
    return 0


def _holds_runs(path: Path) -> bool:
    """Whether the path is a folder that is neither a run nor a comparison."""
    from fedmed.comparison import record
    from fedmed.comparison.find import SIGNS

    return path.is_dir() and not any((path / name).exists() for name in (*SIGNS, record.NAME))


def _page(given: Namespace, folder: Path) -> Path:
    from fedmed.api.report import write_report

    page = write_report(given.paths, folder, **_chosen(given)).page
    print(f"wrote {page}")
    return page


def _folder(given: Namespace, folder: Path) -> Path:
    """Writes the page that compares the folder's runs, or says why there is none, and the index."""
    from fedmed.api.report import write_folder_report
    from fedmed.report.index import write_index

    (path,) = given.paths
    page, notes = write_folder_report(path, folder, each=given.each, **_chosen(given))
    if page:
        print(f"wrote {page}")
    else:
        print(f"fedmed: {notes[-1]}", file=sys.stderr)
    index, contents = write_index(path, folder, notes)
    print(f"wrote {index}: {contents}")
    return page or index


def _chosen(given: Namespace) -> dict[str, Any]:
    """How the runs are to be compared."""
    return {name: getattr(given, name) for name in ("metric", "reference", "force", "better")}


def show(page: Path) -> None:
    """Opens the page in the browser, or says that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        print(f"fedmed: no browser to open it in; open {page} yourself", file=sys.stderr)
