"""`fedmed run`: one experiment or a sweep; checked in full before anything is written."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from fedmed.cli.arguments import Parser, add_trust
from fedmed.cli.help import run_help
from fedmed.cli.hydra_flags import add_flags, answer, with_flags
from fedmed.cli.outcome import Output, attempt
from fedmed.config import compose
from fedmed.config.compose import Plan
from fedmed.config.grammar import resumed_of
from fedmed.errors import refuse
from fedmed.heap import growing
from fedmed.rundir.final import refuse_diverged


def main(arguments: list[str], *, command: str = "fedmed run") -> int:
    """Runs what the overrides ask for; see `fedmed run --help`. command: what continues an interrupted run."""
    given = _parser().parse_intermixed_args(arguments)
    if given.help:
        print(run_help())
        return 0
    overrides = with_flags(given)
    if answer(given, overrides):
        return 0
    output = Output(json=given.json, quiet=given.quiet, open=given.open, command=command)
    resumed, others = resumed_of(overrides)
    if resumed and not given.cfg:
        return _resume(resumed, others, output, given.trust)
    if given.trust:
        raise refuse("--trust", "resume= with a run directory", "a new run", "Its options name its code: leave it out.")
    return _new(overrides, given, output)


def _parser() -> Parser:
    parser = Parser("run", "Runs an experiment.", add_help=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--open", action="store_true")
    add_flags(parser)
    add_trust(parser)
    return parser


def _new(overrides: list[str], given: Namespace, output: Output) -> int:
    with growing():
        checked = compose.plan(overrides, sweep=given.multirun)
    if given.cfg:
        compose.show(checked, part=given.cfg, package=given.package, resolve=given.resolve)
        return 0
    if checked.sweeper:
        from fedmed.cli import sweep

        return sweep.main(checked, output)
    return _run(checked, output)


def _run(checked: Plan, output: Output) -> int:
    (planned,) = checked.runs
    config, directory = planned.config, planned.directory
    return _finish(output, directory, lambda runner, show: runner.run(runner.build(config), directory, show=show))


def _resume(directory: Path, overrides: list[str], output: Output, trusted: list[Path]) -> int:
    def work(runner: Any, show: Any) -> Any:
        return runner.resume(directory, overrides=overrides, show=show, trusted=trusted)

    return _finish(output, directory, work)


def _finish(output: Output, directory: Path, work: Any) -> int:
    final = attempt(output, directory, work)
    if final is None:
        return 130
    output.final(final)
    refuse_diverged(final)
    output.page(directory)
    return 0
