"""What a study gave, as docs/results keeps it: pages are written from it, on any machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.studies.outcome import Outcome, Values
from benchmarks.studies.study import Overrides, Study
from fedmed.comparison.estimates import Estimate, difference
from fedmed.files import write_atomically

Table = Mapping[str, Mapping[str, Any]]
"""Something by world and arm."""


@dataclass(frozen=True, slots=True)
class Record:
    """The figures of one study.

    design: of the study when it ran. seconds: of all runs. By world and arm: chosen: the candidate's overrides;
    values: by metric and seed; audits: by name and seed; curves: by round and seed.
    """

    design: str
    seconds: float
    chosen: Table
    values: Table
    audits: Table
    curves: Table

    def candidate(self, world: str, arm: str) -> Overrides:
        """What validation chose for the arm."""
        return tuple(self.chosen[world].get(arm, ()))

    def of(self, world: str, arm: str, metric: str) -> Values:
        """The metric by seed; empty where no run gave one."""
        return _numbered(self.values[world].get(arm, {}).get(metric, {}))

    def audit(self, world: str, arm: str, name: str) -> Values:
        """The audited value by seed; empty where there is none."""
        return _numbered(self.audits[world].get(arm, {}).get(name, {}))

    def curve(self, world: str, arm: str) -> dict[int, Values]:
        """The headline metric by round and seed."""
        return {int(r): _numbered(values) for r, values in self.curves[world].get(arm, {}).items()}


def against(study: Study, record: Record, world: str, arm: str, reference: str, name: str) -> Estimate | None:
    """The paired difference in a metric, in both arms the one that either names; None without runs."""
    metric = (study.arms[arm].metrics | study.arms[reference].metrics).get(name, name)
    ours, theirs = (record.of(world, each, metric) for each in (arm, reference))
    shared = ours.keys() & theirs.keys()
    if arm == reference or not shared:
        return None
    return difference({s: ours[s] for s in shared}, {s: theirs[s] for s in shared})


def recorded(outcome: Outcome) -> Record:
    """The figures that the runs on this machine gave."""
    study = outcome.study
    names = {*study.metrics, *(name for arm in study.arms.values() for name in arm.metrics.values())}
    headline = study.metrics[0]
    return Record(
        design=study.design,
        seconds=outcome.seconds(),
        chosen=_table(study, lambda world, arm: outcome.chosen(world, arm)),
        values=_table(study, lambda w, a: {name: outcome.values(w, a, name) for name in sorted(names)}),
        audits=_table(study, lambda w, a: {name: outcome.audited(w, a, of) for name, of in study.audits.items()}),
        curves=_table(study, lambda w, a: outcome.curve(w, a, headline) if a in study.curves else {}),
    )


def save(record: Record, path: Path) -> None:
    """Keeps it as JSON, atomically."""
    write_atomically(path, json.dumps(asdict(record)) + "\n")


def load(path: Path) -> Record | None:
    """What was kept; None where nothing was."""
    return Record(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _table(study: Study, tell: Any) -> Table:
    return {world: {arm: found for arm in study.arms if (found := tell(world, arm))} for world in study.worlds}


def _numbered(values: Mapping[Any, float]) -> Values:
    return {int(key): value for key, value in values.items()}
