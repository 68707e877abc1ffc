"""`fedmed compare`: a grid of runs, each done once, and what their differences are."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from fedmed.cli.arguments import Parser, add_better
from fedmed.errors import refuse
from fedmed.files import runs_folder
from fedmed.formatting import count
from fedmed.heap import importing

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
  fedmed compare dataset=npz dataset.path=x.npz partition=site clients=null holdout=each
  fedmed compare --from runs/compare other/machine/runs

holdout=each makes of every run one per site of the dataset: it trains on the other sites
and is tested there; a table has all sites and the mean over them.

For one seed all strategies have the same images, the same division of them, the same
first weights and the same order of clients. Seeds are 0,1,2,3,4 unless seed= says else:
with fewer, hardly any difference can be told from chance.

A run that was done before is not done again, whichever comparison did it: it is known
by its options, by fedmed's version, and by what the method's file and the data hold.
After Ctrl-C or a kill the same command goes on where it stopped."""

NEEDED_AT_THE_END = ("jinja2", "matplotlib.figure", "scipy.stats", "fedmed.api.report")
"""What the report takes: seconds that nobody should wait for."""


def main(arguments: list[str]) -> int:
    """Does the runs that are missing and writes the comparison; 1 where a run failed."""
    given = _parser().parse_intermixed_args(arguments)
    if given.paths and given.overrides:
        fix = "Leave out --from to make runs, or the options to read some."
        raise refuse("--from", "folders of runs alone, as it only reads", " ".join(given.overrides), fix)
    if given.workers is not None and given.workers < 1:
        raise refuse("--workers", "a number from 1 on", given.workers, "Leave it out for as many as fit.")
    if given.paths:
        from fedmed.comparison.record import folder_of

        _report(given.paths, given.output or folder_of(given.paths), given)
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
    parser.add_argument(
        "--metric", help="the headline metric, such as auc or client.worst.auc (default: that of the runs)"
    )
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
    from fedmed.campaign.grid import grid, methods_of
    from fedmed.campaign.judge import check_metric
    from fedmed.comparison.record import comparison_folder

    planned = grid(given.overrides, root=given.runs or runs_folder() / "compare", with_references=given.references)
    if given.better is None:
        check_metric("--metric", given.metric, [run.config for run in planned])
    folder = given.output or comparison_folder(methods_of(planned), (run.key for run in planned))
    try:
        failed = _execute(planned, folder, given)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    if failed:
        print(f"fedmed: {failed} of {count(len(planned), 'run')} failed, as said above", file=sys.stderr)
    return 1 if failed else 0


def _execute(planned: Sequence[PlannedRun], folder: Path, given: Namespace) -> int:
    """Does the runs and writes the comparison into the folder; how many failed."""
    from fedmed.campaign.comparing import carried_out

    choices = {"overrides": given.overrides, "workers": given.workers, "quiet": given.quiet}
    with importing(*NEEDED_AT_THE_END), carried_out(planned, folder, **choices) as result:
        if result.done:
            _report([run.directory for run in result.done], folder, given, result.failures())
    return len(result.failed)


def _report(runs: Sequence[Path], folder: Path, given: Namespace, notes: Sequence[str] = ()) -> None:
    """Writes page, tables and figures into the folder, and prints the tables; notes stand below them."""
    from fedmed.api.report import write_report
    from fedmed.cli.report import show

    chosen = {name: getattr(given, name) for name in ("metric", "reference", "force", "better", "target")}
    written = write_report(runs, folder, notes=notes, **chosen)
    _print(written.summary)
    print(f"\nwrote {written.page}")
    if given.open:
        show(written.page)


def _print(summary: Summary) -> None:
    from fedmed.terminal import comparison as terminal

    if not sys.stdout.isatty():
        print(terminal.comparison_text(summary, get_terminal_size().columns))
        return
    from rich.console import Console

    console = Console()
    console.print(terminal.comparison_table(summary, console.width), soft_wrap=True)
