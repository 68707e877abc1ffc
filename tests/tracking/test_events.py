"""TensorBoard's own reader finds each round once, whatever became of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fedmed.tracking import Subject
from fedmed.tracking.events import Events

reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

PARAMS = {"strategy": "fedprox", "strategy.fedprox.mu": 0.1, "rounds": 3, "pooled": False}


def row(round: int, **more: float | None) -> dict[str, Any]:
    return {"round": round, "loss": 1 / round, "test.auc": 0.5 + round / 100, "seconds.train": 0.25, **more}


def subject(folder: Path, done: int = 0) -> Subject:
    return Subject(folder=folder, label="label", params=PARAMS, metric="auc", done=done)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag, as TensorBoard reads them."""
    found = reader.EventAccumulator(str(folder)).Reload()
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_the_numbers_of_a_round_are_scalars_before_the_run_ends(tmp_path: Path) -> None:
    events = Events(subject(tmp_path))
    events.log([row(1), row(2)])
    found = read(tmp_path)
    assert found.keys() == {"loss", "test/auc", "seconds/train"}
    assert found["loss"] == [(1, 1.0), (2, 0.5)]
    assert found["test/auc"] == [(1, pytest.approx(0.51)), (2, pytest.approx(0.52))]
    events.close("finished")
    assert read(tmp_path) == found


def test_what_has_no_value_is_left_out(tmp_path: Path) -> None:
    events = Events(subject(tmp_path))
    events.log([row(1, **{"test.f1": None, "test.ece": float("nan"), "test.dice": float("inf")})])
    events.close("finished")
    assert read(tmp_path).keys() == {"loss", "test/auc", "seconds/train"}


def test_rounds_that_are_done_again_count_once(tmp_path: Path) -> None:
    first = Events(subject(tmp_path))
    first.log([row(1), row(2, only=1.0), row(3)])
    first.close("interrupted")
    second = Events(subject(tmp_path, done=1))
    second.log([row(2) | {"loss": 7.0}])
    second.close("finished")
    found = read(tmp_path)
    assert found["loss"] == [(1, 1.0), (2, 7.0)]
    assert found["only"] == []


def test_a_file_that_a_kill_cut_short_costs_its_last_round_only(tmp_path: Path) -> None:
    Events(subject(tmp_path)).log([row(1), row(2)])
    (file,) = tmp_path.glob("events.*")
    file.write_bytes(file.read_bytes()[:-5])
    assert read(tmp_path)["loss"] == [(1, 1.0)]
    second = Events(subject(tmp_path, done=1))
    second.log([row(2), row(3)])
    assert [step for step, _ in read(tmp_path)["loss"]] == [1, 2, 3]


def test_sessions_of_one_moment_have_files_of_their_own_in_order(tmp_path: Path) -> None:
    for done in range(3):
        Events(subject(tmp_path, done=done)).log([row(done + 1)])
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 3
    assert [step for step, _ in read(tmp_path)["loss"]] == [1, 2, 3]


def test_settings_are_on_the_page_of_hyper_parameters(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    events = Events(subject(tmp_path))
    events.close("finished")
    found = reader.EventAccumulator(str(tmp_path)).Reload().PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(found[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["strategy"].string_value == "fedprox"
    assert start.hparams["strategy.fedprox.mu"].number_value == 0.1
    assert start.hparams["pooled"].HasField("bool_value")
    assert metadata.SESSION_END_INFO_TAG in found


def test_no_thread_writes_them(tmp_path: Path) -> None:
    import threading

    before = threading.active_count()
    Events(subject(tmp_path)).log([row(1)])
    assert threading.active_count() == before
