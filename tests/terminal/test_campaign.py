"""What is shown of a grid under way."""

from __future__ import annotations

import io
from typing import Any

import pytest

from fedmed.terminal.campaign import (
    CampaignDisplay,
    CampaignProgress,
    LiveCampaignDisplay,
    PlainCampaignDisplay,
    QuietCampaignDisplay,
    RunStatus,
    make_campaign_display,
)

RUNNING = (RunStatus(label="moon seed=1", round=2, rounds=8, value="test.auc 0.812"),)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def state(**given: Any) -> CampaignProgress:
    usual = {"total": 20, "before": 3, "done": 5, "failed": 0, "running": RUNNING, "left": 42.0}
    return CampaignProgress(**usual | given)


def shown(view: CampaignDisplay) -> None:
    with view:
        view.start(state(), workers=2)
        view.ended("fedavg seed=0", 3.25, state(failed=1))
        view.failed("moon seed=0", "ValueError: no", "runs/moon.log")
        view.warn("its worker process was killed")
        view.update(state(done=6))


@pytest.mark.parametrize(
    ("kind", "terminal", "quiet"),
    [(QuietCampaignDisplay, True, True), (PlainCampaignDisplay, False, False), (LiveCampaignDisplay, True, False)],
)
def test_the_view_fits_the_stream(kind: type, terminal: bool, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert type(make_campaign_display(quiet=quiet, stream=Terminal() if terminal else io.StringIO())) is kind


def test_lines_say_what_is_to_do_and_what_has_ended() -> None:
    shown(PlainCampaignDisplay(stream := io.StringIO()))
    assert stream.getvalue().splitlines() == [
        "20 runs, 3 of them done before: 17 to do by 2 workers",
        "fedavg seed=0: 3.25 s  (5/20 runs, 1 failed, 0:42 left)",
        "failed: moon seed=0: ValueError: no (runs/moon.log)",
        "warning: its worker process was killed",
    ]


def test_quiet_keeps_to_what_must_be_known() -> None:
    shown(QuietCampaignDisplay(stream := io.StringIO()))
    assert stream.getvalue().splitlines() == [
        "failed: moon seed=0: ValueError: no (runs/moon.log)",
        "warning: its worker process was killed",
    ]


def test_a_terminal_shows_the_grid_and_every_run_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    shown(LiveCampaignDisplay(stream))
    text = stream.getvalue()
    assert "6/20 runs" in text[text.rindex("warning") :]
    for word in ("5/20 runs, 0:42 left", "moon seed=1  round 2/8", "test.auc 0.812", "failed: moon seed=0"):
        assert word in text, word


def test_nothing_to_do_is_said() -> None:
    view = PlainCampaignDisplay(stream := io.StringIO())
    view.start(state(before=20, done=20, running=(), left=None), workers=0)
    assert stream.getvalue() == "20 runs, all of them done before\n"
