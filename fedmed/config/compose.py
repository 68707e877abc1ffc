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
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fedmed.config import grammar
from fedmed.config.composition import FAILURES, composed, superfluous
from fedmed.config.expansion import Sweeper, alternatives, unsweepable, with_params
from fedmed.config.grammar import key_of
from fedmed.config.overrides import CheckedOverrides, well_formed
from fedmed.config.plain import plain
from fedmed.config.schema import register
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import Fault, UserError
from fedmed.options.catalogue import Catalogue, discover

_SEED = re.compile(r"seed=\d+")


@dataclass(frozen=True, slots=True)
class ComposedRun:
    """One run to be made: its checked config and its directory, not made yet."""

    config: Config
    directory: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for: one run, or every run of a sweep.

    overrides: as Hydra reads them. runs: of a sweeper that searches, those at the borders of its space. sweeper: what
    makes the runs; None where it is one that is made at once.
    """

    catalogue: Catalogue
    overrides: tuple[str, ...]
    runs: tuple[ComposedRun, ...]
    sweeper: Sweeper | None = None

    @property
    def searches(self) -> bool:
        """Whether it is a sweep that chooses its jobs by what earlier ones return."""
        return self.sweeper is not None and not self.sweeper.grid


def compose(overrides: Sequence[str] = ()) -> Config:
    """The config of one run, checked; raises `UserError` with all faults."""
    return plan(overrides).runs[0].config


def plan(arguments: Sequence[str], *, sweep: bool = False) -> Plan:
    """Composes and checks every run before the first one starts; raises `UserError` with the faults of all.

    sweep: whether it is a sweep, whatever hydra.mode says.
    """
    catalogue = discover()
    faults: list[Fault] = []
    overrides = well_formed(grammar.name_files(grammar.quote_paths(arguments), catalogue, faults), faults)
    with session(catalogue, overrides):
        sweeper = _sweeper(overrides, sweep=sweep)
        if sweeper:
            overrides = with_params(overrides, sweeper)
        overrides = _rewrite(overrides, catalogue, faults, sweep=sweeper is not None)
        if sweeper and sweeper.grid:
            faults += unsweepable(overrides)
        several = alternatives(overrides, sweeper) if sweeper else [overrides]
        runs = list(_runs(several, catalogue, faults))
    if faults:
        raise UserError(*dict.fromkeys(faults))
    return Plan(catalogue, tuple(overrides), tuple(runs), sweeper)


def show(checked: Plan, *, part: str, package: str | None, resolve: bool) -> None:
    """Prints a composed config as Hydra's `--cfg` does; part: job, hydra or all."""
    with session(checked.catalogue, checked.overrides) as app:
        app.show_cfg("config", list(checked.overrides), cfg_type=part, package=package, resolve=resolve)


@contextmanager
def session(catalogue: Catalogue, overrides: Sequence[str] = ()) -> Iterator[Any]:
    """Hydra, with the options of a catalogue, for the length of a block. overrides: those of the runs."""
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
    except FAILURES:
        return ()


def _sweeper(overrides: Sequence[str], *, sweep: bool) -> Sweeper | None:
    """What makes the runs: where it is a sweep, or hydra.mode says so."""
    about = [o for o in overrides if key_of(o).startswith("hydra") or key_of(o) == "experiment"]
    if not about:
        return Sweeper() if sweep else None
    try:
        config = hydra.compose("config", about, return_hydra_config=True).hydra
    except FAILURES:  # composing the runs reports it
        return Sweeper() if sweep else None
    settings: Any = OmegaConf.to_container(config.sweeper)
    return Sweeper(settings) if sweep or config.mode == RunMode.MULTIRUN else None


@dataclass(frozen=True, slots=True)
class _Composed:
    """What Hydra makes of a run's overrides, those left out that do not fit, and the faults of these."""

    config: DictConfig
    directory: Path
    faults: tuple[Fault, ...]


def _runs(alternatives: Sequence[Sequence[str]], catalogue: Catalogue, faults: list[Fault]) -> Iterator[ComposedRun]:
    """Composes and checks every run; those that differ in their seed only are composed once, as it takes long."""
    known: dict[tuple[str, ...], _Composed | None] = {}
    for overrides in alternatives:
        rest = tuple(each for each in overrides if not _SEED.fullmatch(each))
        seeds = [each for each in overrides if _SEED.fullmatch(each)]
        if rest not in known:
            known[rest] = _composed(overrides, catalogue, faults)
        if (made := known[rest]) is None:
            continue
        config = deepcopy(made.config)
        if seeds:
            config.seed = int(grammar.value_of(seeds[-1]))
        found = plain(config, catalogue)
        faults += [*made.faults, *validate(found, catalogue)]
        yield ComposedRun(found, made.directory)


def _composed(overrides: Sequence[str], catalogue: Catalogue, faults: list[Fault]) -> _Composed | None:
    """Composes a run; overrides that do not fit are left out, so that the others are still checked."""
    checked = CheckedOverrides(overrides, catalogue)
    while checked.sections:
        try:
            return _Composed(*composed(checked.sound), tuple(checked.faults))
        except FAILURES as error:
            checked.leave_out(superfluous(checked.sound, composed), error)
    faults += checked.faults
    return None
