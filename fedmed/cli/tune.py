"""`fedmed tune`: searches the options of strategies, each with the same budget, by what validation says."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from fedmed.cli.arguments import Parser, count_of
from fedmed.config.grammar import key_of
from fedmed.errors import refuse
from fedmed.files import runs_folder
from fedmed.formatting import number
from fedmed.rundir.json_text import dumps
from fedmed.terminal.text_table import TextTable, fit

if TYPE_CHECKING:
    from fedmed.tuning.plan import TuningPlan
    from fedmed.tuning.tune import TuningResult

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
    from fedmed.campaign.pool import RunPool
    from fedmed.tuning.plan import read
    from fedmed.tuning.tune import Tuner

    tuning = read(given.overrides)
    folder = given.out or runs_folder() / tuning.name
    under_way = Tuner(tuning, folder, _say)
    try:
        with RunPool(given.workers or tuning.workers) as pool:
            found = under_way.go(pool)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on.", file=sys.stderr)
        return 130
    _tell(found, tuning, under_way.metric, folder, json=given.json)
    return 0 if all(outcome.best for outcome in found) else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tell(found: Sequence[TuningResult], tuning: TuningPlan, metric: str, folder: Path, *, json: bool) -> None:
    commands = comparison(found, tuning, folder)
    if json:
        strategies = {outcome.candidate.name: _facts(outcome) for outcome in found}
        result = {"directory": folder, "metric": metric, "strategies": strategies, "commands": commands}
        print(dumps(result), flush=True)
        return
    rows = [[outcome.candidate.name, *_cells(outcome)] for outcome in found]
    below = ["", str(folder), *(["", "Compare with what was chosen:", *commands] if commands else [])]
    table = TextTable(header=["", "trials", "failed", metric, "chosen"], rows=rows, left=frozenset({0, 4}), below=below)
    if sys.stdout.isatty():
        from rich.console import Console

        for part in fit(table, get_terminal_size().columns):
            Console().print(part.rich(), soft_wrap=True)
    else:
        print("\n".join(part.text() for part in fit(table, get_terminal_size().columns)), flush=True)


def _cells(outcome: TuningResult) -> list[str]:
    failed, best = sum(trial.value is None for trial in outcome.tried), outcome.best
    return [
        str(len(outcome.tried)),
        str(failed),
        number(best.value if best else None),
        " ".join(best.overrides) if best else f"none; the last one failed: {outcome.tried[-1].why}",
    ]


def _facts(outcome: TuningResult) -> dict[str, Any]:
    return {
        "trials": len(outcome.tried),
        "failed": sum(trial.value is None for trial in outcome.tried),
        "value": outcome.best and outcome.best.value,
        "overrides": outcome.best and outcome.best.overrides,
    }


def comparison(found: Sequence[TuningResult], tuning: TuningPlan, folder: Path) -> list[str]:
    """The commands that compare the strategies with what was chosen for them; none where nothing was.

    One where they agree on all that is not an option of one method, else one for each and one that reads their runs.
    """
    chosen = [(outcome.candidate.strategy, outcome.best.overrides) for outcome in found if outcome.best]
    values = {key_of(each): each for _, overrides in chosen for each in overrides}
    if all(values[key_of(each)] == each for _, overrides in chosen for each in overrides):
        strategies = ",".join(strategy for strategy, _ in chosen)
        return [_command(f"strategy={strategies}", *tuning.shared, *values.values())] if chosen else []
    runs = folder.with_name(f"{folder.name}_compare")
    each = [
        _command(f"--runs={runs}", f"strategy={strategy}", *_shared(tuning, strategy), *overrides)
        for strategy, overrides in chosen
    ]
    return [*each, shlex.join(["fedmed", "compare", "--from", str(runs)])]


def _shared(tuning: TuningPlan, strategy: str) -> Sequence[str]:
    """The overrides of all runs that a strategy has."""
    return next(each.overrides for each in tuning.candidates if each.strategy == strategy)


def _command(*words: str) -> str:
    """With the seeds that it would take by itself: others than those of the search."""
    from fedmed.campaign.grid import SEEDS

    return shlex.join(["fedmed", "compare", *words, f"seed={SEEDS}"])
