"""What a comparison shows while its runs are made: one live display on a terminal, a line per run elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TextIO

from fedmed.formatting import clock, count, duration
from fedmed.terminal.display import Display, LineDisplay, LiveDisplay, fitting_display, progress_bars

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run under way. round: 0 while it reads its data. value: its last evaluation, as text."""

    label: str
    round: int
    rounds: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignProgress:
    """How far the grid is. before: runs that were done before. left: seconds to the end; None: not known yet."""

    total: int
    before: int
    done: int
    failed: int
    running: Sequence[RunStatus]
    left: float | None

    def text(self) -> str:
        """`12/20 runs, 1 failed, 0:42 left`."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done}/{self.total} runs{failed}{f', {clock(self.left)} left' if self.left else ''}"


class CampaignDisplay(Display):
    """The events of a comparison's runs, for a display to show; this base class shows nothing."""

    def start(self, state: CampaignProgress, workers: int) -> None:
        """Runs are about to be made, by so many workers."""
        return

    def update(self, state: CampaignProgress) -> None:
        """Shows how far the grid is."""
        return

    def ended(self, label: str, seconds: float, state: CampaignProgress) -> None:
        """A run is finished."""
        return

    def failed(self, label: str, error: str, log: str) -> None:
        """A run has failed, as even a quiet display says. log: where its words are."""
        return


def make_campaign_display(*, quiet: bool = False, stream: TextIO | None = None) -> CampaignDisplay:
    """The display of a comparison's runs that fits the stream (standard error when None)."""
    return fitting_display(QuietCampaignDisplay, PlainCampaignDisplay, LiveCampaignDisplay, quiet=quiet, stream=stream)


class QuietCampaignDisplay(LineDisplay, CampaignDisplay):
    """Only failures and warnings."""

    def failed(self, label: str, error: str, log: str) -> None:
        self.say(f"failed: {label}: {error} ({log})")


class PlainCampaignDisplay(QuietCampaignDisplay):
    """A line at the start and for every run that ends."""

    def start(self, state: CampaignProgress, workers: int) -> None:
        self.say(opening(state, workers))

    def ended(self, label: str, seconds: float, state: CampaignProgress) -> None:
        self.say(f"{label}: {duration(seconds)}  ({state.text()})")


@dataclass
class LiveCampaignDisplay(LiveDisplay, QuietCampaignDisplay):
    """A bar for all runs, with a line for every one under way."""

    state: CampaignProgress | None = None
    rows: list[TaskID] = field(default_factory=list)

    def start(self, state: CampaignProgress, workers: int) -> None:
        self.say(opening(state, workers))
        self.bar = _bar(self.stream)
        self.bar.add_task("", total=state.total, value="")
        self.rows = [self.bar.add_task("", total=1, value="", visible=False) for _ in range(workers)]
        self.bar.start()
        self.update(state)

    def update(self, state: CampaignProgress) -> None:
        self.state = state
        if self.due:
            self._draw(state)

    def stop(self) -> None:
        if self.bar is not None and self.state is not None:
            self._draw(replace(self.state, running=()))
        super().stop()

    def _draw(self, state: CampaignProgress) -> None:
        if self.bar is None:
            return
        self.bar.update(self.bar.task_ids[0], completed=state.done + state.failed, description=state.text())
        for number, row in enumerate(self.rows):
            self.bar.update(row, **_row(state.running[number] if number < len(state.running) else None))
        self.draw()


def opening(state: CampaignProgress, workers: int) -> str:
    """How many runs there are, and how many of them are left to do by how many workers, as a sentence."""
    to_do = state.total - state.before
    if not to_do:
        return f"{count(state.total, 'run')}, all of them done before"
    before = f", {state.before} of them done before" if state.before else ""
    return f"{count(state.total, 'run')}{before}: {to_do} to do by {count(workers, 'worker')}"


def _row(running: RunStatus | None) -> dict[str, Any]:
    if running is None:
        return {"visible": False}
    place = f"round {running.round}/{running.rounds}" if running.rounds else "starts"
    total, done = running.rounds or 1, running.round
    return {
        "visible": True,
        "description": f"  {running.label}  {place}",
        "total": total,
        "completed": done,
        "value": running.value,
    }


def _bar(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, TextColumn
    from rich.table import Column

    first = TextColumn("{task.description}", table_column=Column(no_wrap=True))
    value = TextColumn("{task.fields[value]}", style="bold", table_column=Column(no_wrap=True))
    return progress_bars(stream, first, BarColumn(bar_width=24), value)
