"""Composition: from what a user writes to the checked config of every run, by Hydra; nothing is written on a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fedmed.config import grammar
from fedmed.config.discovery import Catalogue, discover
from fedmed.config.expansion import Sweeper, alternatives, unsweepable, with_params
from fedmed.config.explain import Trouble, culprit_of, explain, malformed
from fedmed.config.grammar import key_of
from fedmed.config.schema import register
from fedmed.config.validate import validate
from fedmed.errors import Fault, UserError

PATHS = ("dataset.path", "dataset.root", "partition.path", "model.weights", "sampling.path")
"""Options that name files: made absolute, so that a run can be resumed from any directory."""

_FAILURES = (HydraException, OmegaConfBaseException, ValueError, TypeError, ArithmeticError, AttributeError)
"""What Hydra raises on words that it parses and can make nothing of."""

_SEED = re.compile(r"seed=\d+")


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be made: its checked config and its directory, not made yet."""

    config: DictConfig
    directory: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for: one job, or every job of a sweep.

    overrides: as Hydra reads them. sweeper: what makes the jobs; None where it is one that is made at once. jobs: of a
    sweeper that searches, those at the borders of its space.
    """

    catalogue: Catalogue
    overrides: tuple[str, ...]
    jobs: tuple[Job, ...]
    sweeper: Sweeper | None = None


def compose(overrides: Sequence[str] = ()) -> DictConfig:
    """The config of one run, checked; raises `UserError` with all faults."""
    return plan(overrides).jobs[0].config


def plan(arguments: Sequence[str], *, sweep: bool = False) -> Plan:
    """Composes and checks every job before the first one starts; raises `UserError` with the faults of all.

    sweep: whether it is a sweep, whatever hydra.mode says.
    """
    catalogue = discover()
    faults: list[Fault] = []
    overrides = malformed(grammar.name_files(grammar.quote_paths(arguments), catalogue, faults), faults)
    with session(catalogue, overrides):
        sweeper = _sweeper(overrides, sweep=sweep)
        if sweeper:
            overrides = with_params(overrides, sweeper)
        overrides = _rewrite(overrides, catalogue, faults, sweep=sweeper is not None)
        if sweeper and sweeper.grid:
            faults += unsweepable(overrides)
        several = alternatives(overrides, sweeper) if sweeper else [overrides]
        jobs = list(_jobs(several, catalogue, faults))
    if faults:
        raise UserError(*dict.fromkeys(faults))
    return Plan(catalogue, tuple(overrides), tuple(jobs), sweeper)


def show(checked: Plan, *, part: str, package: str | None, resolve: bool) -> None:
    """Prints a composed config as Hydra's `--cfg` does; part: job, hydra or all."""
    with session(checked.catalogue, checked.overrides) as app:
        app.show_cfg("config", list(checked.overrides), cfg_type=part, package=package, resolve=resolve)


@contextmanager
def session(catalogue: Catalogue, overrides: Sequence[str] = ()) -> Iterator[Any]:
    """Hydra, with the options of a catalogue, for the length of a block. overrides: those of the jobs."""
    register(catalogue, overrides)
    with initialize_config_module("fedmed.configs", version_base="1.3", job_name="fedmed"):
        yield GlobalHydra.instance().hydra


def _rewrite(overrides: Sequence[str], catalogue: Catalogue, faults: list[Fault], *, sweep: bool) -> list[str]:
    joined = grammar.join_members(overrides)
    given = grammar.choices(joined, "strategy")
    if not any(o.lstrip("+~").startswith("strategy.") for o in joined) and all(len(names) == 1 for names in given):
        return joined
    places = [o for o in joined if key_of(o) in ("experiment", "hydra.searchpath")]
    named = {name for names in given for name in names} - catalogue.options["strategy"].keys()
    presets = {name: methods[0] for name in named if (methods := _methods([*places, f"strategy=[{name}]"]))}
    faults += grammar.refuse_repeats(given, presets)
    chosen = [tuple(presets.get(name, name) for name in names) for names in given] or [_methods(places)]
    return grammar.name_members(joined, chosen, catalogue, faults, sweep=sweep)


def _methods(overrides: Sequence[str]) -> grammar.Members:
    """The methods that some overrides choose, which may be presets; none where the overrides do not compose."""
    try:
        return tuple(map(str, hydra.compose("config", list(overrides)).strategy))
    except _FAILURES:
        return ()


def _sweeper(overrides: Sequence[str], *, sweep: bool) -> Sweeper | None:
    """What makes the jobs: where it is a sweep, or hydra.mode says so."""
    about = [o for o in overrides if key_of(o).startswith("hydra") or key_of(o) == "experiment"]
    if not about:
        return Sweeper() if sweep else None
    try:
        config = hydra.compose("config", about, return_hydra_config=True).hydra
    except _FAILURES:  # told of by the jobs
        return Sweeper() if sweep else None
    settings: Any = OmegaConf.to_container(config.sweeper)
    return Sweeper(settings) if sweep or config.mode == RunMode.MULTIRUN else None


@dataclass(frozen=True, slots=True)
class _Composed:
    """What Hydra makes of a job's overrides, those left out that do not fit, and why they do not."""

    config: DictConfig
    directory: Path
    troubles: Sequence[Trouble]


def _jobs(alternatives: Sequence[Sequence[str]], catalogue: Catalogue, faults: list[Fault]) -> Iterator[Job]:
    """Composes and checks every job; those that differ in their seed only are composed once, as it takes long."""
    known: dict[tuple[str, ...], _Composed] = {}
    for overrides in alternatives:
        rest = tuple(each for each in overrides if not _SEED.fullmatch(each))
        seeds = [each for each in overrides if _SEED.fullmatch(each)]
        composed = known.get(rest) or _composed(overrides, catalogue, faults)
        if composed is None:
            continue
        known[rest] = composed
        config = deepcopy(composed.config)
        if seeds:
            config.seed = int(grammar.value_of(seeds[-1]))
        config = tidy(config)
        faults += [*explain(composed.troubles, config, catalogue), *validate(config, catalogue)]
        yield Job(config, composed.directory)


def _composed(overrides: Sequence[str], catalogue: Catalogue, faults: list[Fault]) -> _Composed | None:
    """Composes a job; overrides that do not fit are left out, so that the others are still checked."""
    remaining = list(overrides)
    troubles: list[Trouble] = []
    while True:
        try:
            config = hydra.compose("config", remaining, return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            directory = Path(config.hydra.run.dir)
            with open_dict(config):
                del config["hydra"]
            OmegaConf.to_container(config, resolve=True)
            break
        except _FAILURES as error:
            culprit = culprit_of(error, remaining) or _superfluous(remaining)
            troubles.append((culprit, error))
            if culprit is None:
                faults += explain(troubles, None, catalogue)
                return None
            dropped = f"{key_of(culprit)}."
            remaining = [each for each in remaining if each != culprit and not key_of(each).startswith(dropped)]
    return _Composed(config, directory, troubles)


def _superfluous(overrides: Sequence[str]) -> str | None:
    """The last override without which the others compose, where Hydra does not say which one it minds."""
    for at in reversed(range(len(overrides))):
        try:
            config = hydra.compose("config", [*overrides[:at], *overrides[at + 1 :]])
            OmegaConf.to_container(config, resolve=True)
        except _FAILURES:
            continue
        return overrides[at]
    return None


def tidy(config: DictConfig) -> DictConfig:
    """Drops settings of methods that the job does not have, and makes paths absolute."""
    with open_dict(config):
        for name in [name for name, node in (config.get("strategy") or {}).items() if "_target_" not in node]:
            del config.strategy[name]
    for name in PATHS:
        if isinstance(path := OmegaConf.select(config, name), str) and path:  # what is no text is refused later
            OmegaConf.update(config, name, str(Path(path).expanduser().resolve()))
    if isinstance(uri := OmegaConf.select(config, "tracking.uri"), str):
        config.tracking.uri = _absolute_uri(uri)
    if isinstance(config.loss, str):
        config.loss = _absolute(config.loss)
    if OmegaConf.is_list(config.metrics):
        config.metrics = [_absolute(text) if isinstance(text, str) else text for text in config.metrics]
    OmegaConf.set_struct(config, True)
    return config


def _absolute(text: str) -> str:
    path, _, name = text.rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{name}" if path else text


def _absolute_uri(uri: str) -> str:
    """The database `sqlite:///<file>` by the absolute path of its file; any other place as it is."""
    path = uri.removeprefix("sqlite:///")
    return uri if path == uri else f"sqlite:///{Path(path).expanduser().resolve()}"
