"""A study: worlds, arms to compare in them, and how each arm's hyper-parameters are chosen, read from one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

Overrides = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One thing to compare.

    overrides: of every run of the arm. candidates: more overrides, of which validation chooses one per world.
    like: the arm whose chosen candidate this one takes. metrics: other names for the study's metrics in this arm.
    """

    overrides: Overrides
    candidates: tuple[Overrides, ...] = ((),)
    like: str | None = None
    metrics: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is claimed and how it is put to the test.

    base: overrides of every run. metrics: names in final.json, the headline first. select: the name that chooses
    candidates, the larger the better, on runs with `tuning_seeds`, which are never reported. worlds: overrides by name.
    reference: the arm that the others are compared with. pairs: further arms to compare, (ours, reference).
    glance: the pairs that say it all.
    audits: what to tell of the methods' audit rows: a column (globs allowed), or two for their rank correlation.
    reading: what the figures say, by world, written after they were seen.
    """

    name: str
    title: str
    claim: str
    about: str
    base: Overrides
    metrics: tuple[str, ...]
    select: str
    reference: str
    worlds: Mapping[str, Overrides]
    arms: Mapping[str, Arm]
    glance: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...] = ()
    audits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    tuning_seeds: tuple[int, ...] = (100,)

    def overrides(self, world: str, arm: str, candidate: Overrides) -> Overrides:
        """What a run of the arm in the world is given, its seed apart; later ones win."""
        return (*self.base, *self.worlds[world], *self.arms[arm].overrides, *candidate)

    def metric(self, name: str, arm: str) -> str:
        """What final.json calls the metric in the arm's runs."""
        return self.arms[arm].metrics.get(name, name)


def read(path: Path) -> Study:
    """The study in a file; raises ValueError for what does not hold together."""
    given: Any = OmegaConf.to_container(OmegaConf.load(path))
    study = Study(
        name=path.stem,
        arms={name: _arm(arm) for name, arm in given.pop("arms").items()},
        worlds={name: tuple(overrides) for name, overrides in given.pop("worlds").items()},
        glance=tuple((ours, other) for ours, other in given.pop("glance")),
        pairs=tuple((ours, other) for ours, other in given.pop("pairs", [])),
        audits={name: _names(columns) for name, columns in given.pop("audits", {}).items()},
        base=tuple(given.pop("base")),
        metrics=tuple(given.pop("metrics")),
        **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()},
    )
    _check(study)
    return study


def _arm(given: Mapping[str, Any]) -> Arm:
    return Arm(
        overrides=tuple(given["overrides"]),
        candidates=tuple(tuple(candidate) for candidate in given.get("candidates", [[]])),
        like=given.get("as"),
        metrics=given.get("metrics", {}),
    )


def _names(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _check(study: Study) -> None:
    named = {study.reference, *(name for pair in (*study.pairs, *study.glance) for name in pair)}
    named |= {arm.like for arm in study.arms.values() if arm.like}
    if unknown := sorted(named - study.arms.keys()):
        raise ValueError(f"{study.name}: no arm is called {unknown[0]}")
    budgets = {len(arm.candidates) for arm in study.arms.values() if len(arm.candidates) > 1}
    if len(budgets) > 1:
        raise ValueError(f"{study.name}: every arm that is tuned must have equally many candidates, not {budgets}")
