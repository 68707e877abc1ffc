"""By which metric runs are compared, and which way it improves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.errors import UserError
from tests.fabricated import run


def test_a_metric_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    run(tmp_path / "a")
    with pytest.raises(UserError, match=r"got kappa. Known: auc, loss\."):
        read([tmp_path], metric="kappa")
    found = read([tmp_path], metric="test.loss")
    assert (found.metric, found.greater) == ("loss", False)


def test_a_scope_that_is_asked_for_is_the_headline_and_improves_as_its_metric_does(tmp_path: Path) -> None:
    for seed, (mean, worst) in enumerate(((0.6, 0.2), (0.7, 0.3))):
        ends = {"client.mean.auc": mean, "client.worst.auc": worst, "client.worst.loss": 2.0, "client.worst.id": 1}
        run(tmp_path / str(seed), seed=seed, final=ends)
    assert summarise(read([tmp_path])).headline == "test.auc"
    for name, greater in (("client.worst.auc", True), ("client.worst.loss", False), ("client.mean.auc", True)):
        found = read([tmp_path], metric=name)
        assert (f"{found.scope}.{found.metric}", found.greater) == (name, greater)
        summary = summarise(found)
        assert summary.headline == summary.rows[0].metric == name
    assert summarise(read([tmp_path], metric="client.worst.auc")).rows[0].mean == pytest.approx(0.25)
    for wrong in ("client.best.auc", "domain.worst.auc", "client.worst.id", "best.test.auc"):
        with pytest.raises(UserError, match=f"metric: expected a metric of these runs, got {wrong}"):
            read([tmp_path], metric=wrong)


def own(folder: Path, *, seed: int = 0, better: str | None = None) -> None:
    """A run with a metric of the user's, which says which way it improves or, as earlier versions wrote it, not."""
    run(folder, seed=seed, config={"metric": "off_by"}, final={"test.off_by": 0.4})
    if better is not None:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(json.dumps(about | {"better": {"off_by": better}}), encoding="utf-8")


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_the_users_own_metric_improves_as_the_runs_say(tmp_path: Path, better: Any) -> None:
    own(tmp_path / "a", better=better)
    own(tmp_path / "old", seed=1)
    assert read([tmp_path]).greater == (better == "higher")
    assert read([tmp_path], better=better).greater == (better == "higher")


def test_where_no_run_says_which_way_a_metric_improves_the_reader_has_to(tmp_path: Path) -> None:
    own(tmp_path / "old")
    with pytest.raises(UserError, match=r"which way it improves, got off_by\. Say --better higher or --better lower;"):
        read([tmp_path])
    assert not read([tmp_path], better="lower").greater
    assert read([tmp_path], better="higher").greater
    assert read([tmp_path], metric="auc").greater


def test_contradictions_about_a_direction_are_refused(tmp_path: Path) -> None:
    own(tmp_path / "a", better="lower")
    with pytest.raises(UserError, match=r"--better: expected lower, as the runs say of off_by, got higher"):
        read([tmp_path], better="higher")
    with pytest.raises(UserError, match="--better: expected higher, as the runs say of auc"):
        read([tmp_path], metric="auc", better="lower")
    own(tmp_path / "b", seed=1, better="higher")
    with pytest.raises(UserError, match="off_by: expected runs that agree on which way it improves, got both ways"):
        read([tmp_path])


def test_the_runs_own_metric_is_the_headline(tmp_path: Path) -> None:
    run(tmp_path / "a", config={"metric": "f1"}, final={"test.f1": 0.4})
    assert read([tmp_path]).metric == "f1"


def test_where_runs_disagree_the_metric_that_most_have_is_the_headline(tmp_path: Path) -> None:
    run(tmp_path / "a", auc=None, config={"metric": "f1"}, final={"test.f1": 0.4, "test.loss": None})
    for seed in (1, 2):
        run(tmp_path / str(seed), auc=None, seed=seed, final={"test.dice": 0.4, "test.loss": None})
    assert read([tmp_path]).metric == "dice"


def test_segmentation_is_told_by_dice(tmp_path: Path) -> None:
    run(tmp_path / "a", auc=None, final={"test.dice": 0.4})
    assert read([tmp_path]).metric == "dice"
