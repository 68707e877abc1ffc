import subprocess
import sys
import threading
from io import StringIO

import pytest

from fedmed.terminal.progress import (
    LiveRunDisplay,
    PlainRunDisplay,
    ProgressMeter,
    QuietRunDisplay,
    RunDisplay,
    make_run_display,
)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def run(show: RunDisplay, rounds: int = 20) -> None:
    with show:
        show.start(rounds=rounds, done=0, metric="auc")
        for round in range(1, rounds + 1):
            show.round({"round": round, "loss": 1 / round, "seconds": 0.1, "test.auc": 0.5 + round / 100})


def test_the_view_fits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(make_run_display(quiet=False, stream=Terminal()), LiveRunDisplay)
    assert isinstance(make_run_display(quiet=False, stream=StringIO()), PlainRunDisplay)
    assert isinstance(make_run_display(quiet=True, stream=Terminal()), QuietRunDisplay)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_run_display(quiet=False, stream=Terminal()), PlainRunDisplay)


def test_lines_are_plain_and_few() -> None:
    stream = StringIO()
    run(PlainRunDisplay(stream))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("round  1/20  loss 1.0000  test.auc 0.510  100 ms/round")
    assert lines[-1].startswith("round 20/20")
    assert "\x1b" not in stream.getvalue()


def test_lines_end_with_the_last_round_of_a_run_that_stops_early() -> None:
    stream = StringIO()
    with PlainRunDisplay(stream) as show:
        show.start(rounds=100, done=0, metric="auc")
        for round in range(1, 14):
            show.round({"round": round, "loss": 0.1, "seconds": 0.1})
        show.stop()
    assert stream.getvalue().count("round  13/100") == 1


def test_quiet_shows_only_warnings() -> None:
    stream = StringIO()
    show = QuietRunDisplay(stream)
    show.note("resumed")
    run(show)
    show.warn("no validation images")
    assert stream.getvalue() == "warning: no validation images\n"


def test_a_terminal_gets_a_bar_and_its_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    run(LiveRunDisplay(stream))
    out = stream.getvalue()
    assert "round 20/20" in out
    assert "test.auc 0.700" in out
    assert out.rindex("\x1b[?25h") > out.rindex("\x1b[?25l")


def test_an_interrupt_gives_the_cursor_back_and_goes_on() -> None:
    stream = Terminal()
    show = LiveRunDisplay(stream)

    def interrupted() -> None:
        with show:
            show.start(rounds=3, done=0, metric="auc")
            show.round({"round": 1, "loss": 0.1, "seconds": 0.1})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")
    show.stop()


def test_notes_stand_above_the_bar_without_markup() -> None:
    stream = Terminal()
    with LiveRunDisplay(stream) as show:
        show.note("before")
        show.start(rounds=3, done=0, metric="auc")
        show.note("dataset.path=[red]x[/red]")
        show.warn("careful")
    assert "before\n" in stream.getvalue()
    assert "[red]x[/red]" in stream.getvalue()
    assert "warning: careful" in stream.getvalue()


def test_standard_output_stays_untouched_while_a_bar_shows(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveRunDisplay(Terminal()) as show:
        show.start(rounds=1, done=0, metric="auc")
        print("for a script")
    assert capsys.readouterr().out == "for a script\n"


def test_no_thread_runs_while_a_bar_shows() -> None:
    before = threading.active_count()
    with LiveRunDisplay(Terminal()) as show:
        show.start(rounds=1, done=0, metric="auc")
        assert threading.active_count() == before


def test_rich_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, fedmed.terminal.progress, fedmed.terminal.text_table; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_texts_keep_the_last_known_metric() -> None:
    meter = ProgressMeter(rounds=20, done=0, metric="auc")
    meter.add({"round": 1, "loss": 0.5, "seconds": 1.0, "test.auc": 0.75, "val.auc": 0.6})
    meter.add({"round": 2, "loss": 0.25, "seconds": 2.0})
    texts = meter.texts()
    assert texts["round"] == "round  2/20"
    assert texts["loss"] == "loss 0.2500"
    assert texts["metric"] == "test.auc 0.750"
    assert texts["rate"] == "1.50 s/round"


def test_without_a_global_model_the_clients_mean_is_shown() -> None:
    meter = ProgressMeter(rounds=2, done=0, metric="auc")
    meter.add({"round": 1, "loss": None, "seconds": 1.0, "test.auc": None, "client.mean.auc": 0.7})
    assert meter.texts()["metric"] == "client.mean.auc 0.700"
    assert meter.texts()["loss"] == ""


def test_time_left_goes_by_the_clock_of_the_rounds_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = ProgressMeter(rounds=10, done=4, metric="auc", began=100.0)
    now[0] += 6
    meter.add({"round": 5, "seconds": 1.0})
    now[0] += 6
    meter.add({"round": 6, "seconds": 1.0})
    assert meter.left == 24
    assert meter.texts()["left"] == "0:24 left"


@pytest.mark.parametrize(("rounds", "done"), [(1, 0), (5, 0), (23, 0), (100, 0), (1000, 7), (19, 18)])
def test_about_ten_milestones_with_the_first_and_the_last(rounds: int, done: int) -> None:
    meter = ProgressMeter(rounds=rounds, done=done, metric="auc")
    shown = []
    for round in range(done + 1, rounds + 1):
        meter.add({"round": round, "seconds": 0.1})
        shown += [round] if meter.is_milestone else []
    assert shown[0] == done + 1
    assert shown[-1] == rounds
    assert min(rounds - done, 5) <= len(shown) <= 12
