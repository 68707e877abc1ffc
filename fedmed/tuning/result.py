"""What a tuning has found, and the commands that compare the strategies with what was chosen for them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmed.campaign.grid import SEEDS
from fedmed.config.grammar import key_of
from fedmed.tuning.plan import Candidate, TuningPlan
from fedmed.tuning.search import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResult:
    """What was found for a strategy. tried: its trials, in order. best: the chosen one; None where all have failed."""

    candidate: Candidate
    tried: tuple[Trial, ...]
    best: Trial | None

    @property
    def failed(self) -> int:
        """How many of its trials have failed."""
        return sum(trial.value is None for trial in self.tried)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A tuning that has ended.

    folder: where it is kept. metric: that judged, such as `val.auc`. results: of each strategy.
    """

    plan: TuningPlan
    folder: Path
    metric: str
    results: tuple[TuningResult, ...]

    @property
    def succeeded(self) -> bool:
        """Whether something could be chosen for every strategy."""
        return all(result.best for result in self.results)

    @property
    def facts(self) -> dict[str, Any]:
        """Directory, metric, a summary of each strategy and the commands, as plain values for JSON."""
        strategies = {
            result.candidate.name: {
                "trials": len(result.tried),
                "failed": result.failed,
                "value": result.best and result.best.value,
                "overrides": result.best and result.best.overrides,
            }
            for result in self.results
        }
        return {"directory": self.folder, "metric": self.metric, "strategies": strategies, "commands": self.commands}

    @property
    def commands(self) -> list[str]:
        """The commands that compare the strategies with what was chosen for them; none where nothing was.

        One where they agree on all that is not an option of one method, else one for each and one that reads their
        runs.
        """
        chosen = [(result.candidate, result.best.overrides) for result in self.results if result.best]
        values = {key_of(each): each for _, overrides in chosen for each in overrides}
        if all(values[key_of(each)] == each for _, overrides in chosen for each in overrides):
            strategies = ",".join(candidate.strategy for candidate, _ in chosen)
            return [_command(f"strategy={strategies}", *self.plan.shared, *values.values())] if chosen else []
        runs = self.folder.with_name(f"{self.folder.name}_compare")
        each = [
            _command(f"--runs={runs}", f"strategy={candidate.strategy}", *candidate.overrides, *overrides)
            for candidate, overrides in chosen
        ]
        return [*each, shlex.join(["fedmed", "compare", "--from", str(runs)])]


def _command(*words: str) -> str:
    """With the seeds that it would take by itself: others than those of the search."""
    return shlex.join(["fedmed", "compare", *words, f"seed={SEEDS}"])
