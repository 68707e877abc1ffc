"""A run that is made longer: allowed where the result is that of a run which was as long from the start."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from fedmed.config.build import config_of, to_yaml
from fedmed.errors import Fault, UserError
from fedmed.experiment import Experiment
from fedmed.method import Method
from fedmed.run.sources import sources_of
from fedmed.rundir.directory import RunDirectory


def lengthen(kept: RunDirectory, experiment: Experiment) -> None:
    """Has the run plan as many rounds as the config says, if that is more than it has planned so far.

    Raises `UserError` with all that would have gone otherwise in a run of that length, or where it is a shorter one.
    """
    planned, wanted = kept.planned, experiment.rounds
    if planned is None or wanted == planned:
        return
    if faults := list(_faults(experiment, planned, kept.path)):
        raise UserError(*faults)
    kept.plan(wanted, to_yaml(config_of(experiment)))


def _faults(chosen: Experiment, planned: int, path: Path) -> Iterator[Fault]:
    expected, fix = f"{planned} as in {path}, or more", "Start a new run with so many rounds."
    if chosen.rounds < planned:
        yield Fault("rounds", expected, str(chosen.rounds), "A run cannot be made shorter: start a new run.")
        return
    unlike = f"{chosen.rounds}, but the first {planned} would not be those of the longer run:"
    if chosen.optimizer.schedule == "cosine":
        yield Fault("rounds", expected, f"{unlike} optimizer.schedule=cosine falls to 0 at the last", fix)
    if planned % chosen.eval_every:
        yield Fault("rounds", expected, f"{unlike} round {planned} was evaluated only because it was the last", fix)
    for name, method in chosen.methods.members.items():
        if _reads_rounds(method):
            yield Fault("rounds", expected, f"{unlike} {name} reads how many there are", fix)


def _reads_rounds(method: Method) -> bool:
    """Whether a source file of the method reads `client.rounds`, `server.rounds` or the like anywhere."""
    nodes = (node for source in sources_of(type(method)) for node in ast.walk(ast.parse(dedent(source.decode()))))
    return any(isinstance(node, ast.Attribute) and node.attr == "rounds" for node in nodes)
