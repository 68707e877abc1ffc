"""What a tuning asks for: strategies, what is searched for each, and what all its runs have in common.

Everything is checked before the first run: both ends of every range and every choice, for every strategy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from fedmed.campaign.judge import higher_is_better
from fedmed.campaign.pool import fitting
from fedmed.config import compose
from fedmed.config.grammar import key_of, split, value_of
from fedmed.config.values import Config
from fedmed.errors import UserError, refuse
from fedmed.metric_direction import ScopedMetric
from fedmed.tuning.space import Axis, applies, axes_of, typed

SCOPES = ("client.mean", "client.worst")
"""What the validation of clients may be taken over, besides all images together."""

SEEDS = "100"
"""Seeds of the runs of a search unless others are given: none that anybody would report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A strategy, as it was written, and what is searched for it.

    overrides: of each of its runs, its own and the tried values apart. defaults: of what is searched.
    """

    strategy: str
    members: tuple[str, ...]
    axes: tuple[Axis, ...]
    overrides: tuple[str, ...]
    defaults: dict[str, Any]

    @property
    def name(self) -> str:
        """What its folder is called: `fedprox+fedbn`."""
        return "+".join(self.members)

    def run(self, values: Sequence[str], seed: str) -> compose.Plan:
        """The plan of one run with these values of what is searched (`key=value`) and this seed."""
        return compose.plan([f"strategy={self.strategy}", *self.overrides, *values, f"seed={seed}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """Strategies that are each given `budget` trials.

    shared: overrides of all runs. seeds: of the runs of a trial. metric: that judges (None: the task's usual one).
    scope: over which validation images, `client.mean` or `client.worst`; empty for those of all clients together.
    workers: how many runs fit side by side. digest: of what is searched and how. greater: whether more of the metric is
    better.
    """

    candidates: tuple[Candidate, ...]
    shared: tuple[str, ...]
    budget: int
    seeds: tuple[str, ...]
    metric: str | None
    workers: int
    digest: str
    greater: bool = True
    scope: str = ""

    @property
    def name(self) -> str:
        """What its folder is called; the same words give the same one, with a larger budget too."""
        return f"tune_{','.join(candidate.name for candidate in self.candidates)}_{self.digest}"

    def trials(self, of: int) -> int:
        """How many trials a strategy gets; one where there is nothing to search."""
        return self.budget if self.candidates[of].axes else 1


def read(overrides: Sequence[str]) -> TuningPlan:
    """What the overrides ask for; raises `UserError` with what is wrong with it."""
    given = {key_of(each): value_of(each) for each in overrides}
    budget, seeds = _budget(given.get("budget", "20")), tuple(given.get("seed", SEEDS).split(","))
    scope, overrides = _scope(overrides)
    strategies = split(given.get("strategy", "fedavg"), ",")
    axes, fixed = axes_of([each for each in overrides if key_of(each) not in ("strategy", "seed", "budget")])
    if not axes:
        fix = "Write strategy.fedprox.mu=0.001..1.0:log or batch_size=10,32, for instance."
        raise refuse("tune", "an option with a range or choices", "none", fix)
    configs = _configs(strategies, fixed, axes, seeds)
    metric = configs[0]["metric"]
    text = repr((sorted(fixed), sorted(map(repr, axes)), strategies, seeds)) + scope
    return TuningPlan(
        candidates=tuple(
            _candidate(strategy, config, fixed, axes, seeds[0])
            for strategy, config in zip(strategies, configs, strict=True)
        ),
        shared=tuple(fixed),
        budget=budget,
        seeds=seeds,
        metric=metric,
        workers=fitting(configs),
        digest=blake2b(text.encode(), digest_size=4).hexdigest(),
        greater=metric is None or higher_is_better("metric", metric, configs),
        scope=scope,
    )


def _scope(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """Over what the metric judges, and the overrides with the metric alone, as the runs take it."""
    asked = ScopedMetric.of(next((value_of(each) for each in overrides if key_of(each) == "metric"), ""))
    if asked.scope not in ("", "val", *SCOPES):
        names = ", ".join((asked.metric, *(f"{scope}.{asked.metric}" for scope in SCOPES)))
        fix = f"Test images choose nothing: name one of {names}."
        raise refuse("metric", "a metric that validation can judge by", f"{asked.scope}.{asked.metric}", fix)
    plain = [f"metric={asked.metric}" if key_of(each) == "metric" and asked.scope else each for each in overrides]
    return asked.scope.removeprefix("val"), plain


def _budget(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise refuse("budget", "a whole number >= 1: how many trials each strategy gets", text)
    return int(text)


def _configs(
    strategies: Sequence[str], fixed: Sequence[str], axes: Sequence[Axis], seeds: Sequence[str]
) -> list[Config]:
    """The config of each strategy at the first end of every axis; all ends have been checked."""
    found = []
    for number in range(max(len(seeds), *(len(axis.ends) for axis in axes))):
        values = [f"{axis.key}={axis.ends[min(number, len(axis.ends) - 1)]}" for axis in axes]
        run = [*fixed, f"strategy={','.join(strategies)}", *values, f"seed={seeds[min(number, len(seeds) - 1)]}"]
        found.append([each.config for each in compose.plan(run, sweep=len(strategies) > 1).runs])
    return found[0]


def _candidate(strategy: str, config: Config, fixed: Sequence[str], axes: Sequence[Axis], seed: str) -> Candidate:
    members = config.methods
    own = [replace(axis, key=_full(axis.key, members)) for axis in axes if applies(axis.key, members)]
    candidate = Candidate(
        strategy=strategy,
        members=members,
        axes=tuple(typed(axis, config) for axis in own),
        overrides=tuple(each for each in fixed if applies(key_of(each), members)),
        defaults={},
    )
    return replace(candidate, defaults=_defaults(candidate, seed))


def _full(key: str, members: Sequence[str]) -> str:
    """`strategy.fedprox.mu` for `strategy.mu`, which only one method can mean."""
    first, *rest = key.split(".")
    return ".".join((first, *members, *rest)) if first == "strategy" and len(rest) == 1 else key


def _defaults(candidate: Candidate, seed: str) -> dict[str, Any]:
    """What the searched options are if nobody says otherwise; None where one has to say."""
    try:
        config = candidate.run((), seed).runs[0].config
    except UserError:
        return {axis.key: None for axis in candidate.axes}
    return {axis.key: config.get(axis.key) for axis in candidate.axes}
