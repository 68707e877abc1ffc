"""What a run shows while it runs: a live bar on a terminal, about ten lines elsewhere, only warnings when quiet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, TextIO

from fedmed.formatting import clock, duration, number
from fedmed.rundir.rounds import SCOPES, Row
from fedmed.terminal.display import Display, LineDisplay, LiveDisplay, fitting_display, progress_bars

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass
class ProgressMeter:
    """How far a run is, and how fast it goes.

    rounds: that it will have. done: that have ended. metric: the one to show (`auc`). row: of the last round.
    value: the last evaluation, as text. times: seconds of the last ten rounds. first: the first round of this session.
    began: when the session did, in seconds of the monotonic clock.
    """

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
        """Shows a round that has ended."""
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
        return {
            **round_texts(self.done, self.rounds, self.row),
            "metric": self.value,
            "rate": f"{duration(fmean(self.times))}/round" if self.times else "",
            "left": f"{clock(self.left)} left" if self.times else "",
        }


def round_texts(done: int, rounds: int, row: Row) -> dict[str, str]:
    """Round and loss, each short; empty where it is not known."""
    loss = row.get("loss")
    return {
        "round": f"round {done:{len(str(rounds))}}/{rounds}",
        "loss": "" if loss is None else f"loss {loss:.4f}",
    }


class RunDisplay(Display):
    """The events of a run, for a display to show; this base class shows nothing."""

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        """Rounds are about to begin: `done` of `rounds` are done already; `metric` (`auc`) is the one to show."""
        return

    def round(self, row: Row) -> None:
        """Shows a round that ended: `round`, `loss`, `seconds`, and after an evaluation `test.<metric>` and others."""
        return

    def note(self, text: str) -> None:
        """Shows a line of information, which a quiet display leaves out."""
        return


def make_run_display(*, quiet: bool = False, stream: TextIO | None = None) -> RunDisplay:
    """The display of a run that fits the stream (standard error when None)."""
    return fitting_display(QuietRunDisplay, PlainRunDisplay, LiveRunDisplay, quiet=quiet, stream=stream)


class QuietRunDisplay(LineDisplay, RunDisplay):
    """Only warnings."""


@dataclass
class PlainRunDisplay(QuietRunDisplay):
    """A line for the first round, the last, and about ten between."""

    meter: ProgressMeter | None = None
    shown: int = 0

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self.meter, self.shown = ProgressMeter(rounds, done, metric), done

    def round(self, row: Row) -> None:
        if self.meter is not None:
            self.meter.add(row)
            if self.meter.is_milestone:
                self._print(self.meter)

    def note(self, text: str) -> None:
        self.say(text)

    def stop(self) -> None:
        if self.meter and self.meter.done > self.shown:
            self._print(self.meter)

    def _print(self, meter: ProgressMeter) -> None:
        self.shown = meter.done
        self.say("  ".join(filter(None, meter.texts().values())))


@dataclass
class LiveRunDisplay(LiveDisplay, QuietRunDisplay):
    """A bar that moves with every round."""

    meter: ProgressMeter | None = None

    def start(self, *, rounds: int, done: int, metric: str) -> None:
        self.stop()
        self.meter, self.bar = ProgressMeter(rounds, done, metric), _bar(self.stream)
        self.bar.start()
        fields: dict[str, Any] = self.meter.texts()
        self.bar.add_task("", total=rounds, completed=done, **fields)
        self.bar.refresh()

    def round(self, row: Row) -> None:
        if self.meter is None or self.bar is None:
            return
        self.meter.add(row)
        fields: dict[str, Any] = self.meter.texts()
        self.bar.update(self.bar.task_ids[0], completed=self.meter.done, **fields)
        if self.due:
            self.draw()

    def note(self, text: str) -> None:
        self.say(text)


def _bar(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, TextColumn
    from rich.table import Column

    styles = {"loss": "default", "metric": "bold", "rate": "dim", "left": "cyan"}
    columns = [
        TextColumn(f"{{task.fields[{name}]}}", style=style, table_column=Column(no_wrap=True))
        for name, style in styles.items()
    ]
    first = TextColumn("{task.fields[round]}", table_column=Column(no_wrap=True))
    return progress_bars(stream, first, BarColumn(bar_width=24), *columns)
