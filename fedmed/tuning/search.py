"""The search for one strategy's options, by Optuna: which values are tried next, and what was found.

Tree-structured Parzen estimator: Bergstra, Bardenet, Bengio, Kégl: Algorithms for Hyper-Parameter Optimization. NeurIPS
2011. Akiba, Sano, Yanase, Ohta, Koyama: Optuna. KDD 2019, arXiv 1907.10902.

Every trial is kept in a database before it runs. A trial's draws depend on the seed and its number only, so that a
search that was stopped goes on as if it had not been, where one trial runs at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedmed.tuning.space import Axis

if TYPE_CHECKING:
    import optuna

RANDOM = 5
"""Trials drawn at random before the estimator takes over; Optuna's own 10 would be half of a usual budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Values that were tried. value: on validation; None where there is none, and why."""

    number: int
    overrides: tuple[str, ...]
    value: float | None = None
    why: str = ""


class Search:
    """The trials of one strategy.

    defaults: values that the axes have if nobody says otherwise; the first trial, where the ranges hold them all.
    """

    def __init__(
        self, database: Path, name: str, axes: Sequence[Axis], *, greater: bool, seed: int, defaults: Mapping[str, Any]
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._axes, self._seed, self._sign = axes, seed, 1 if greater else -1
        self._space = {axis.key: _distribution(axis) for axis in axes}
        self._study = optuna.create_study(
            storage=f"sqlite:///{database.resolve()}",
            study_name=name,
            direction="maximize" if greater else "minimize",
            load_if_exists=True,
        )
        if not self._study.trials and all(axis.holds(defaults[axis.key]) for axis in axes):
            self._study.enqueue_trial({axis.key: axis.plain(defaults[axis.key]) for axis in axes})

    def ended(self) -> list[Trial]:
        """The trials that ended, well or not, in order."""
        return [self._read(t.number, t.params, t.value) for t in self._study.trials if t.state.is_finished()]

    def open(self) -> list[Trial]:
        """The trials that began and have not ended: those of a search that was stopped."""
        return [self._read(t.number, t.params, None) for t in self._study.trials if t.state.name == "RUNNING"]

    def next(self) -> Trial:
        """Begins a trial with the values that the sampler proposes."""
        import optuna

        number = sum(trial.state.name != "WAITING" for trial in self._study.trials)
        self._study.sampler = optuna.samplers.TPESampler(
            seed=self._seed + number, n_startup_trials=RANDOM, constant_liar=True
        )
        trial = self._study.ask(self._space)
        return self._read(trial.number, trial.params, None)

    def tell(self, trial: Trial) -> None:
        """Ends a trial; one without a value has failed."""
        from optuna.trial import TrialState

        if trial.why:
            self._study.set_user_attr(_why(trial.number), trial.why)
        self._study.tell(trial.number, trial.value, TrialState.FAIL if trial.value is None else None)

    def best(self) -> Trial | None:
        """The trial with the best value, the first of equals; None where none has one."""
        rated = [(self._sign * trial.value, trial) for trial in self.ended() if trial.value is not None]
        return max(rated, key=itemgetter(0))[1] if rated else None

    def _read(self, number: int, params: Mapping[str, Any], value: float | None) -> Trial:
        overrides = tuple(f"{axis.key}={axis.text(params[axis.key])}" for axis in self._axes)
        return Trial(number=number, overrides=overrides, value=value, why=self._study.user_attrs.get(_why(number), ""))


def _why(number: int) -> str:
    """Where the search keeps why a trial failed."""
    return f"why {number}"


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(float(axis.low), float(axis.high), log=axis.log)
