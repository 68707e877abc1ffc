import pytest

from fedmed.terminal.pace import Pace


def test_texts_keep_the_last_known_metric() -> None:
    pace = Pace(rounds=20, done=0, metric="auc")
    pace.add({"round": 1, "loss": 0.5, "seconds": 1.0, "test.auc": 0.75, "val.auc": 0.6})
    pace.add({"round": 2, "loss": 0.25, "seconds": 2.0})
    texts = pace.texts()
    assert texts["round"] == "round  2/20"
    assert texts["loss"] == "loss 0.2500"
    assert texts["metric"] == "test.auc 0.750"
    assert texts["rate"] == "1.50 s/round"


def test_without_a_global_model_the_clients_mean_is_shown() -> None:
    pace = Pace(rounds=2, done=0, metric="auc")
    pace.add({"round": 1, "loss": None, "seconds": 1.0, "test.auc": None, "client.mean.auc": 0.7})
    assert pace.texts()["metric"] == "client.mean.auc 0.700"
    assert pace.texts()["loss"] == ""


def test_time_left_goes_by_the_clock_of_the_rounds_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pace = Pace(rounds=10, done=4, metric="auc", began=100.0)
    now[0] += 6
    pace.add({"round": 5, "seconds": 1.0})
    now[0] += 6
    pace.add({"round": 6, "seconds": 1.0})
    assert pace.left == 24
    assert pace.texts()["left"] == "0:24 left"


@pytest.mark.parametrize(("rounds", "done"), [(1, 0), (5, 0), (23, 0), (100, 0), (1000, 7), (19, 18)])
def test_about_ten_milestones_with_the_first_and_the_last(rounds: int, done: int) -> None:
    pace = Pace(rounds=rounds, done=done, metric="auc")
    shown = []
    for round in range(done + 1, rounds + 1):
        pace.add({"round": round, "seconds": 0.1})
        shown += [round] if pace.is_milestone else []
    assert shown[0] == done + 1
    assert shown[-1] == rounds
    assert min(rounds - done, 5) <= len(shown) <= 12
