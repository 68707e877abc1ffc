"""`fedmed tune`: searches the options of strategies, each with the same budget, by what validation says."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from fedmed.cli.arguments import Parser, count_of
from fedmed.errors import refuse
from fedmed.formatting import number
from fedmed.rundir.json_text import dumps
from fedmed.terminal.text_table import TextTable, fit

if TYPE_CHECKING:
    from fedmed.tuning.result import Tuning, TuningResult

TEXT = """\
Searches options of one or more strategies by Optuna: each gets the same number of trials, and is judged by validation
after the last round, never by test. Takes the options of fedmed run, and for what is searched

  name=low..high       a range, whole numbers where the option takes only those
  name=low..high:log   a range that is even in its logarithm
  name=a,b             choices
  budget=N             trials of each strategy (20); one that fails counts
  seed=100             of the runs; a comparison reports others. With several each trial is their mean.

  fedmed tune strategy=fedprox strategy.fedprox.mu=0.001..1.0:log budget=20
  fedmed tune strategy=fedavg,fedprox optimizer.lr=0.001..0.1:log strategy.fedprox.mu=0.001..1:log budget=15

The same command goes on where it stopped; with a larger budget it goes further."""


def main(arguments: list[str]) -> int:
    """Searches, and tells what was found and how to compare it; 1 where all trials of a strategy have failed."""
    parser = Parser("tune", TEXT)
    parser.add_argument("overrides", nargs="*", metavar="OPTION=VALUE")
    parser.add_argument(
        "--workers", type=count_of, metavar="N", help="runs at a time (default: one per core; on a GPU 1)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to keep the search (in ./runs, by its options)")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object on standard output")
    given = parser.parse_intermixed_args(arguments)
    if find_spec("optuna") is None:
        raise refuse("tune", "the package optuna", "no such package", "Install it: pip install optuna.")
    from fedmed.campaign.worker import prepare_workers

    prepare_workers()
    from fedmed.tuning.plan import read
    from fedmed.tuning.tune import tune

    plan = read(given.overrides)
    try:
        found = tune(plan, folder=given.out, workers=given.workers, say=_say)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on.", file=sys.stderr)
        return 130
    _print(found, json=given.json)
    return 0 if found.succeeded else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(found: Tuning, *, json: bool) -> None:
    if json:
        print(dumps(found.facts), flush=True)
        return
    rows = [[result.candidate.name, *_cells(result)] for result in found.results]
    commands = found.commands
    below = ["", str(found.folder), *(["", "Compare with what was chosen:", *commands] if commands else [])]
    header = ["", "trials", "failed", found.metric, "chosen"]
    table = TextTable(header=header, rows=rows, left=frozenset({0, 4}), below=below)
    if sys.stdout.isatty():
        from rich.console import Console

        for part in fit(table, get_terminal_size().columns):
            Console().print(part.rich(), soft_wrap=True)
    else:
        print("\n".join(part.text() for part in fit(table, get_terminal_size().columns)), flush=True)


def _cells(result: TuningResult) -> list[str]:
    best = result.best
    return [
        str(len(result.tried)),
        str(result.failed),
        number(best.value if best else None),
        " ".join(best.overrides) if best else f"none; the last one failed: {result.tried[-1].why}",
    ]
