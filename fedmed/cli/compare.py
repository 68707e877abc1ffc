"""`fedmed compare`: a grid of runs, each done once, and what their differences are."""

from __future__ import annotations

import os
import sys
import threading
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from fedmed.cli.arguments import Parser, add_better
from fedmed.errors import refuse
from fedmed.formatting import count

if TYPE_CHECKING:
    from fedmed.campaign.grid import PlannedRun
    from fedmed.comparison.rows import Summary

USAGE = """\
fedmed compare OPTION=VALUE[,VALUE...] ... [--workers N] [--no-references]
       fedmed compare --from DIR ..."""

ABOUT = """\
Runs every combination of the values separated by commas, compares the results, and
writes one page about them. Takes the options of fedmed run (see fedmed run --help).

  fedmed compare strategy=fedavg,scaffold,fedprox,fedprox+fednpr seed=0,1,2,3,4
  fedmed compare strategy=fedavg,fedprox strategy.fedprox.mu=0.01,0.1 partition.alpha=0.1,1.0
  fedmed compare experiment=smoke strategy=fedavg,moon --no-references --open
  fedmed compare --from runs/compare other/machine/runs

For one seed all strategies have the same images, the same division of them, the same
first weights and the same order of clients. Seeds are 0,1,2,3,4 unless seed= says else:
with fewer, hardly any difference can be told from chance.

A run that was done before is not done again, whichever comparison did it: it is known
by its options, by fedmed's version, and by what the method's file and the data hold.
After Ctrl-C or a kill the same command goes on where it stopped."""


def main(arguments: list[str]) -> int:
    """Does the runs that are missing and writes the comparison; 1 where a run failed."""
    given = _parser().parse_intermixed_args(arguments)
    if given.paths and given.overrides:
        fix = "Leave out --from to make runs, or the options to read some."
        raise refuse("--from", "folders of runs alone, as it only reads", " ".join(given.overrides), fix)
    if given.workers is not None and given.workers < 1:
        raise refuse("--workers", "a number from 1 on", given.workers, "Leave it out for as many as fit.")
    if given.paths:
        _tell(given.paths, given.output or _rebuilt(given.paths) or _place(map(str, given.paths), "runs"), given)
        return 0
    return _compare(given)


def _parser() -> Parser:
    parser = Parser("compare", ABOUT)
    parser.usage = USAGE
    parser.add_argument("overrides", nargs="*", metavar="OPTION=VALUE", help="an option of a run, with its values")
    parser.add_argument(
        "--from", nargs="+", type=Path, dest="paths", metavar="DIR", help="only compare the runs in these folders"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="runs at a time (default: one per core; on a GPU 1)")
    parser.add_argument(
        "--no-references",
        dest="references",
        action="store_false",
        help="no local-only and pooled runs beside the others",
    )
    parser.add_argument("--metric", help="the headline metric, such as auc (default: that of the runs)")
    add_better(parser)
    parser.add_argument("--reference", metavar="ARM", help="what the others are compared with (default: fedavg)")
    parser.add_argument(
        "--target", type=float, metavar="X", help="value of the metric to reach (default: 95 %% of ARM's)"
    )
    parser.add_argument("--force", action="store_true", help="compare runs that differ in data or code, and say so")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="where runs are kept (default: runs/compare)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where the page goes (default: runs/comparisons)")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def _compare(given: Namespace) -> int:
    """Plans the runs, does those that are missing and tells of all; 1 where one failed, 130 after Ctrl-C."""
    from fedmed.campaign.worker import prepare_workers

    prepare_workers()
    from fedmed.campaign.grid import grid
    from fedmed.campaign.judge import higher_is_better

    planned = grid(given.overrides, root=given.runs or _root() / "compare", with_references=given.references)
    if given.metric is not None and given.better is None:
        higher_is_better("--metric", given.metric.rpartition(".")[2], [run.config for run in planned])
    try:
        failed = _execute(planned, given.output or _place((run.key for run in planned), _arms(planned)), given)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    if failed:
        print(f"fedmed: {failed} of {count(len(planned), 'run')} failed, as said above", file=sys.stderr)
    return 1 if failed else 0


def _execute(planned: Sequence[PlannedRun], folder: Path, given: Namespace) -> int:
    """Does the runs and writes the comparison into the folder; how many failed."""
    from fedmed.campaign.comparing import carried_out

    choices = {"asked": given.overrides, "workers": given.workers, "quiet": given.quiet}
    with _reporting(), carried_out(planned, folder, **choices) as result:
        if result.done:
            _tell([run.directory for run in result.done], folder, given, result.failures())
    return len(result.failed)


def _tell(runs: Sequence[Path], folder: Path, given: Namespace, notes: Sequence[str] = ()) -> None:
    """Writes page, tables and figures into the folder, and prints the tables; notes stand below them."""
    from fedmed.cli.report import show
    from fedmed.comparison.read import read
    from fedmed.comparison.summary import summarise
    from fedmed.report import page
    from fedmed.report.tables import files

    comparison = read(runs, metric=given.metric, reference=given.reference, force=given.force, better=given.better)
    summary = summarise(replace(comparison, notes=(*comparison.notes, *notes)), target=given.target)
    files.write_summary(summary, folder)
    written = page.write_summary(summary, folder)
    _print(summary)
    print(f"\nwrote {written}")
    if given.open:
        show(written)


@contextmanager
def _reporting() -> Iterator[None]:
    """Imports in a thread, while runs are made, what the report takes: seconds that nobody should wait for."""
    thread = threading.Thread(target=_import_report)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import_report() -> None:
    import jinja2  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import scipy.stats  # noqa: F401

    import fedmed.comparison.summary  # noqa: F401
    import fedmed.report.page  # noqa: F401


def _print(summary: Summary) -> None:
    from fedmed.terminal import comparison as terminal

    if not sys.stdout.isatty():
        print(terminal.comparison_text(summary, get_terminal_size().columns))
        return
    from rich.console import Console

    console = Console()
    console.print(terminal.comparison_table(summary, console.width), soft_wrap=True)


def _root() -> Path:
    return Path(os.environ.get("FEDMED_RUNS", "runs"))


def _place(parts: Iterable[str], name: str) -> Path:
    """The folder of a comparison; the same for the same runs."""
    return _root() / "comparisons" / f"{name}_{blake2b(' '.join(sorted(parts)).encode(), digest_size=4).hexdigest()}"


def _rebuilt(paths: Sequence[Path]) -> Path | None:
    """The folder of the comparison, where the runs of one comparison are to be read."""
    from fedmed.comparison import record

    return paths[0] if len(paths) == 1 and (paths[0] / record.NAME).is_file() else None


def _arms(planned: Sequence[PlannedRun]) -> str:
    """Methods of a grid, as the name of a folder."""
    from fedmed.comparison.settings import base_name, is_federated

    names = dict.fromkeys(base_name(run.config) for run in planned if is_federated(run.config))
    return "-".join(names)[:60] or "references"
