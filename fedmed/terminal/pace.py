"""Where a run stands and how fast it goes, as short texts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean

from fedmed.formatting import clock, number, span
from fedmed.rundir.rounds import SCOPES, Row


@dataclass
class Pace:
    """Where a run stands, and how fast it goes."""

    rounds: int
    done: int
    metric: str
    row: Row = field(default_factory=dict)
    value: str = ""
    times: list[float] = field(default_factory=list)
    first: int = field(init=False)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.first = self.done + 1

    def add(self, row: Row) -> None:
        """Takes in a round that ended."""
        self.row, self.done = row, int(row["round"] or 0)
        self.times = [*self.times[-9:], float(row.get("seconds") or 0)]
        if any(name.startswith(tuple(f"{scope}." for scope in SCOPES)) for name in row):
            names = [f"{scope}.{self.metric}" for scope in SCOPES]
            self.value = next((f"{name} {number(row[name])}" for name in names if row.get(name) is not None), "")

    @property
    def is_milestone(self) -> bool:
        """Whether the round is the first, the last, or one of about ten between."""
        every = -(-self.rounds // 10)
        return self.done in (self.first, self.rounds) or self.done % every == 0

    @property
    def left(self) -> float:
        """Seconds to the last round by the clock, evaluations included."""
        return (time.monotonic() - self.began) / (self.done - self.first + 1) * (self.rounds - self.done)

    def texts(self) -> dict[str, str]:
        """Round, loss, metric of the last evaluation, mean time of the last ten rounds, and time left."""
        width = len(str(self.rounds))
        loss = self.row.get("loss")
        return {
            "round": f"round {self.done:{width}}/{self.rounds}",
            "loss": "" if loss is None else f"loss {loss:.4f}",
            "metric": self.value,
            "rate": f"{span(fmean(self.times))}/round" if self.times else "",
            "left": f"{clock(self.left)} left" if self.times else "",
        }
