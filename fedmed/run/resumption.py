"""What a run that goes on may have otherwise than before: some settings, and more rounds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

import yaml

from fedmed.config.build import config_of, to_yaml
from fedmed.config.identity import TOLERANCE
from fedmed.config.plain import PATHS
from fedmed.config.stored import check_code, check_values, read_stored
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import Fault, UserError, refuse
from fedmed.experiment import Experiment
from fedmed.method import Method
from fedmed.options.class_sources import sources_of
from fedmed.options.fields import read_value
from fedmed.options.groups import SETTINGS
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.progress import RunDisplay


def stored_config(kept: RunDirectory, overrides: list[str], trusted: Sequence[Path], show: RunDisplay) -> Config:
    """The run's own config; an override may only repeat it, but for TOLERANCE and `rounds`, which `lengthen` checks.

    What it names of users' code must be trusted, or repeated by an override; what will be imported is shown.
    """
    config = read_stored(kept.path)
    repeated = [Path(file) for override in overrides for file in re.findall(r"[^\[\],'\"=]+\.py", override)]
    for file in check_code(config, kept.path, [*trusted, *repeated]):
        show.note(f"{kept.path} imports {file}")
    check_values(config, kept.path)
    for override in overrides:
        key, _, value = override.partition("=")
        if key in TOLERANCE or (key == "rounds" and value.isdecimal()):
            config = config.changed(**{key: read_value(yaml.safe_load(value), SETTINGS[key].type)})
            continue
        own, given = config.text(key), str(Path(value).expanduser().resolve()) if key in PATHS else value
        if own != given:
            fix = "A resumed run keeps its configuration: leave the option out, or start a new run."
            raise refuse(key, f"{own} as in {kept.path}", value, fix)
    if wrong := [fault for fault in validate(config) if fault.where in TOLERANCE]:
        raise UserError(*wrong)
    return config


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
