"""Rounds are judged by the validation images of all clients together, whatever a client alone can tell."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.errors import UserError
from fedmed.metrics import tally
from fedmed.run import export
from fedmed.run import run as run_experiment
from fedmed.run.judging import judged, waited
from fedmed.rundir import checkpoint
from fedmed.strategies.fedavg import FedAvg
from fedmed.terminal.progress import RunDisplay
from tests.toys import TOYS, TRAINING, Listening, federate, grid_of

ONE_CLASS = ("clients=6", "partition=shard", "partition.shards_per_client=1", "optimizer.lr=0.3", "rounds=12")


def test_clients_with_one_class_each_find_a_best_round_and_run_out_of_patience(
    run: Any, rounds: Any, tmp_path: Path
) -> None:
    final = run("run", *ONE_CLASS, "patience=2")
    rows = rounds("run")
    course = [row["val.auc"] for row in rows]
    assert final["best.round"] == 1 + course.index(max(course)) == len(rows) - 2 < 10
    assert final["best.by"] == "val.auc"
    clients = [json.loads(line) for line in (tmp_path / "run/clients.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum(row.get("val.auc") is not None for row in clients if row["round"] == 1) < 6  # few could tell alone
    kept, last = checkpoint.load_best(tmp_path / "run/checkpoints"), checkpoint.load(tmp_path / "run/checkpoints")
    assert kept is not None
    assert last is not None
    assert kept[0] == final["best.round"] < last.round
    engine = ("engine=pool", "engine.workers=2")
    pool = run("pool", *ONE_CLASS, "patience=2", *engine)
    assert {n: v for n, v in pool.items() if n.startswith(("best.", "val."))} == {
        n: v for n, v in final.items() if n.startswith(("best.", "val."))
    }


def test_pooled_values_are_those_of_one_client_with_all_images(run: Any, rounds: Any) -> None:
    """A step of nearly nothing: the net is the same however the images are divided."""
    still = ("rounds=1", "optimizer.lr=1e-30", "client_test=0")  # pixels are normalised by the training images
    run("many", *ONE_CLASS[:3], *still)
    run("one", *still, "clients=1", "partition=iid")
    many, one = rounds("many")[0], rounds("one")[0]
    names = [name for name in one if name.startswith("val.")]
    assert len(names) > 7
    assert {name: many[name] for name in names} == pytest.approx({name: one[name] for name in names}, rel=1e-5)


class Heard(RunDisplay):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_where_even_all_images_do_not_define_the_metric_the_loss_judges_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels, splits = np.arange(90) % 2, np.repeat([0, 1, 2], 30)
    labels[splits == 1] = 0
    images = np.random.default_rng(0).integers(0, 255, (90, 12, 12), dtype=np.uint8)
    np.savez("own.npz", images=images, labels=labels, splits=splits)
    given = ["dataset=npz", "dataset.path=own.npz", "partition=iid", "clients=2", "model.width=4", "rounds=40"]
    show = Heard()
    final = run_experiment(experiment_from([*given, "optimizer.lr=0.5", "patience=2"]), tmp_path / "run", show=show)
    (message,) = show.warnings
    assert "val.auc is not defined on the validation images of the clients" in message
    assert "val.loss decides" in message
    assert final["best.by"] == "val.loss"
    rows = [json.loads(line) for line in (tmp_path / "run/rounds.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [row["val.loss"] for row in rows]
    assert final["best.round"] == 1 + losses.index(min(losses))
    assert len(rows) == final["best.round"] + 2


def test_evaluations_without_a_value_use_up_patience_too() -> None:
    rows = [{"round": 1, "val.auc": 0.5}, {"round": 2}, {"round": 3, "val.auc": None}, {"round": 4, "val.loss": 1.0}]
    assert waited(rows, rows[0]) == 2


def test_outputs_leave_clients_only_where_they_are_asked_for() -> None:
    toy = TOYS["multiclass"]
    for pooled in (None, partial(tally, toy.task)):
        grid = grid_of(toy, FedAvg(), kind=Listening)
        ended = federate(toy, FedAvg(), rounds=1, grid=grid, by_clients=True, pooled=pooled)
        names = {name for direction, name, _ in grid.recorded if direction == "up" and name.startswith("outputs.")}
        assert names == (set() if pooled is None else {"outputs.val"})
        assert ended.results[0].pooled.keys() == (set() if pooled is None else {"val"})


def test_a_private_client_gives_no_outputs_whoever_asks() -> None:
    toy, training = TOYS["multiclass"], replace(TRAINING, private=True)
    grid = grid_of(toy, FedAvg(), training, kind=Listening)
    ended = federate(toy, FedAvg(), rounds=1, grid=grid, by_clients=True, pooled=partial(tally, toy.task))
    assert not [name for _, name, _ in grid.recorded if name.startswith("outputs.")]
    assert ended.results[0].pooled == {}
    assert all("val.auc" in row for row in ended.results[0].evaluated)


@pytest.mark.parametrize(
    ("overrides", "pools"),
    [((), True), (("metric=loss",), False), (("metric=accuracy",), False), (("metric=f1",), True)],
)
def test_what_adds_up_by_itself_is_not_pooled(
    run: Any, overrides: tuple[str, ...], pools: bool, monkeypatch: Any
) -> None:
    merged = []
    tallies = "fedmed.metrics.classification.ClassificationTally"
    monkeypatch.setattr(f"{tallies}.merge", lambda self, packed: merged.append(packed))
    run("run", "rounds=1", "scopes=[client]", *overrides)  # the server's own test images are merged too
    assert bool(merged) == pools


def test_a_best_model_that_nobody_chose_is_refused(run: Any, tmp_path: Path) -> None:
    run("run", "scopes=[test]", "rounds=2")
    with pytest.raises(UserError, match=r"with a best round by validation, got one without .* Leave out"):
        export(tmp_path / "run", best=True)
    assert export(tmp_path / "run").is_file()


def test_nothing_of_a_lent_answer_is_kept() -> None:
    """Tensors of an answer are lent until the next is asked for."""
    toy = TOYS["multiclass"]
    honest = federate(toy, FedAvg(), rounds=1, by_clients=True, pooled=partial(tally, toy.task))

    class Lending(Listening):
        def stream(self, messages: Any) -> Any:
            for reply in super().stream(messages):
                yield reply
                for name, record in reply.content.array_records.items():
                    if name.startswith("outputs."):
                        for array in record.values():
                            array.tensor.zero_()

    grid = grid_of(toy, FedAvg(), kind=Lending)
    lent = federate(toy, FedAvg(), rounds=1, grid=grid, by_clients=True, pooled=partial(tally, toy.task))
    assert lent.results[0].pooled["val"].values == honest.results[0].pooled["val"].values
    assert torch.is_tensor(next(iter(lent.shared.values())))


def test_a_run_keeps_of_its_rows_only_what_rounds_are_judged_by() -> None:
    row = {"round": 3, "val.auc": 0.5, "val.loss": 1.0, "test.auc": 0.4, "seconds": 1.0, "client.worst.auc": 0.1}
    assert judged(row) == {"round": 3, "val.auc": 0.5, "val.loss": 1.0}
