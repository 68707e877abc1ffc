"""A study: worlds, arms to compare in them, and how each arm's hyper-parameters are chosen, read from one YAML file."""

from __future__ import annotations

import hashlib
import json
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

    problem: whom it is for, in a few words; studies of one problem follow each other by name, and share a picture.
    base: overrides of every run. metrics: names in final.json, the headline first. select: the name that chooses
    candidates, the larger the better, on runs with `tuning_seeds`, which are never reported. worlds: overrides by name.
    reference: the arm that the others are compared with. pairs: further arms to compare, (ours, reference).
    glance: the pairs that say it all; headline: under which circumstances, and by which metric of `metrics` each.
    audits: what to tell of the methods' audit rows: a column (globs allowed), or two for their rank correlation.
    curves: the arms whose headline metric is drawn over rounds.
    changed: what was changed in the study after test figures were seen, and when.
    works, fails, use: one sentence each on what helps, what does not, and what to use for the problem.
    reading: what the figures say, by world. These four are written after the figures were seen.
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
    headline: Mapping[str, str]
    problem: str
    pairs: tuple[tuple[str, str], ...] = ()
    audits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    curves: tuple[str, ...] = ()
    changed: str = ""
    works: str = ""
    fails: str = ""
    use: str = ""
    reading: Mapping[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    tuning_seeds: tuple[int, ...] = (100,)

    def overrides(self, world: str, arm: str, candidate: Overrides) -> Overrides:
        """What a run of the arm in the world is given, its seed apart; later ones win."""
        return (*self.base, *self.worlds[world], *self.arms[arm].overrides, *candidate)

    def metric(self, name: str, arm: str) -> str:
        """What final.json calls the metric in the arm's runs."""
        return self.arms[arm].metrics.get(name, name)

    def command(self, world: str, arm: str, candidate: Overrides) -> str:
        """The `fedmed` command of the arm's reported runs."""
        seeds = ",".join(map(str, self.seeds))
        quoted = (f"'{o}'" if any(c in o for c in "[]{}* ") else o for o in self.overrides(world, arm, candidate))
        return f"fedmed run {' '.join(quoted)} --multirun seed={seeds}"

    @property
    def design(self) -> str:
        """A digest of all that decides what runs there are."""
        arms = {name: [arm.overrides, arm.candidates, arm.like] for name, arm in self.arms.items()}
        told = [self.base, dict(self.worlds), arms, self.seeds, self.tuning_seeds, self.select]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def read(path: Path) -> Study:
    """The study in a file; raises ValueError for what does not hold together."""
    given: Any = OmegaConf.to_container(OmegaConf.load(path))
    metrics = tuple(given.pop("metrics"))
    study = Study(
        name=path.stem,
        arms={name: _arm(arm) for name, arm in given.pop("arms").items()},
        worlds={name: tuple(overrides) for name, overrides in given.pop("worlds").items()},
        glance=tuple((ours, other) for ours, other in given.pop("glance")),
        pairs=tuple((ours, other) for ours, other in given.pop("pairs", [])),
        audits={name: _names(columns) for name, columns in given.pop("audits", {}).items()},
        base=tuple(given.pop("base")),
        metrics=metrics,
        headline=given.pop("headline", {"last round": metrics[0]}),
        problem=given.pop("problem", given["title"]),
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
    named = {study.reference, *study.curves, *(name for pair in (*study.pairs, *study.glance) for name in pair)}
    named |= {arm.like for arm in study.arms.values() if arm.like}
    if unknown := sorted(named - study.arms.keys()):
        raise ValueError(f"{study.name}: no arm is called {unknown[0]}")
    if unknown := sorted(set(study.headline.values()) - set(study.metrics)):
        raise ValueError(f"{study.name}: no metric is called {unknown[0]}")
    budgets = {len(arm.candidates) for arm in study.arms.values() if len(arm.candidates) > 1}
    if len(budgets) > 1:
        raise ValueError(f"{study.name}: every arm that is tuned must have equally many candidates, not {budgets}")
