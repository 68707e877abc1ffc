"""What the runs of a study on this machine gave: the candidate that validation chose for each arm, values by seed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.studies.running import Run, audit, finished, rounds
from benchmarks.studies.study import Overrides, Study
from fedmed.metric_direction import HIGHER_IS_BETTER

Values = dict[int, float]
"""A value per seed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A study and the folder that holds its runs."""

    study: Study
    root: Path

    def tuning(self) -> list[Run]:
        """The runs that candidates are chosen by."""
        study = self.study
        return [
            Run(study.overrides(world, name, candidate), seed)
            for seed in study.tuning_seeds
            for world in study.worlds
            for name, arm in study.arms.items()
            if len(arm.candidates) > 1
            for candidate in arm.candidates
        ]

    def reported(self) -> list[Run]:
        """The runs whose figures are reported; known only after the tuning runs were done."""
        study = self.study
        return [self._run(world, arm, seed) for seed in study.seeds for world in study.worlds for arm in study.arms]

    def chosen(self, world: str, arm: str) -> Overrides:
        """The candidate with the best mean validation value; the first of equals, none where none ended."""
        given = self.study.arms[arm]
        if given.like:
            return (*self.chosen(world, given.like), *given.candidates[0])
        if len(given.candidates) == 1:
            return given.candidates[0]
        return max(given.candidates, key=lambda candidate: self._validation(world, arm, candidate))

    def values(self, world: str, arm: str, metric: str) -> Values:
        """The metric, as final.json names it, of every seed whose run ended with one that is defined."""
        runs = {seed: finished(self._run(world, arm, seed), self.root) for seed in self.study.seeds}
        return {seed: final[metric] for seed, final in runs.items() if final and _defined(final.get(metric))}

    def curve(self, world: str, arm: str, metric: str) -> dict[int, Values]:
        """The metric by round, where rounds were evaluated, and seed."""
        found: dict[int, Values] = defaultdict(dict)
        for seed in self.study.seeds:
            for row in rounds(self._run(world, arm, seed), self.root):
                if _defined(row.get(metric)):
                    found[int(row["round"])][seed] = row[metric]
        return dict(found)

    def seconds(self) -> float:
        """What all its runs took, one after the other."""
        runs = dict.fromkeys([*self.tuning(), *self.reported()])
        return sum(final["seconds"] for run in runs if (final := finished(run, self.root)))

    def audited(self, world: str, arm: str, columns: Sequence[str]) -> Values:
        """Means over clients of a column, or the rank correlation of two, each client by its last defined values.

        What two columns with globs match is correlated over clients and what the globs stand for, such as classes.
        """
        found = {}
        for seed in self.study.seeds:
            latest = [_latest(audit(self._run(world, arm, seed), self.root), column) for column in columns]
            value = _rank_correlation(*map(_pairs, latest, columns)) if len(latest) == 2 else _mean(latest[0])
            if isfinite(value):
                found[seed] = value
        return found

    def _run(self, world: str, arm: str, seed: int) -> Run:
        return Run(self.study.overrides(world, arm, self.chosen(world, arm)), seed)

    def _validation(self, world: str, arm: str, candidate: Overrides) -> float:
        runs = [Run(self.study.overrides(world, arm, candidate), seed) for seed in self.study.tuning_seeds]
        finals = [finished(run, self.root) or {} for run in runs]
        name = self.study.metric(self.study.select, arm)
        values = [final.get(name) for final in finals]
        if not all(map(_defined, values)):
            return float("-inf")
        return fmean(values) if HIGHER_IS_BETTER[name.rpartition(".")[2]] else -fmean(values)


def _defined(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _latest(rows: Sequence[Mapping[str, float]], column: str) -> dict[float, dict[str, float]]:
    """Per client the last defined value of every column that matches."""
    latest: dict[float, dict[str, float]] = defaultdict(dict)
    for row in rows:
        latest[row["client"]] |= {name: v for name, v in row.items() if fnmatch(name, column) and _defined(v)}
    return latest


def _mean(latest: Mapping[float, Mapping[str, float]]) -> float:
    """Over clients, of the mean over their columns; nan where there are none."""
    return fmean([fmean(values.values()) for values in latest.values() if values] or [float("nan")])


def _pairs(latest: Mapping[float, Mapping[str, float]], column: str) -> dict[tuple[float, str], float]:
    """By client and what the column's glob stands for."""
    start = len(re.split(r"[*?\[]", column)[0])
    return {(client, name[start:]): v for client, values in latest.items() for name, v in values.items()}


def _rank_correlation(x: Mapping[Any, float], y: Mapping[Any, float]) -> float:
    """Spearman's; nan where fewer than three keys are in both."""
    from scipy.stats import spearmanr

    both = sorted(x.keys() & y.keys())
    return float(spearmanr([x[c] for c in both], [y[c] for c in both]).statistic) if len(both) > 2 else float("nan")
