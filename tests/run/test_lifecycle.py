"""What the settings of a run do to its rounds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.rundir import checkpoint
from tests.run.traces import weights

SPY = '''\
"""Sends the client's learning rate and number of steps to the server, which keeps them."""

from dataclasses import dataclass

import torch

from fedmed.method import Client, Method, Payload, Report, Server


@dataclass(frozen=True, kw_only=True)
class Spy(Method):
    """Sees how clients train and changes nothing.

    local: what stays on the client ([] shares everything).
    """

    def report(self, client: Client) -> Payload:
        return {"seen": torch.tensor([client.lr, client.step], dtype=torch.float64)}

    def combine(self, server: Server, reports) -> Payload:
        server.state[f"round {server.round}"] = torch.stack([r.payload["seen"] for r in reports])
        return {}
'''


def seen(run: Path) -> dict[int, list[list[float]]]:
    """What the spy saw: per round, the learning rate and the steps of every client."""
    saved = checkpoint.load(run / "checkpoints")
    assert saved is not None
    state = saved.server["state"]["spy"]
    return {int(name.removeprefix("round ")): values.tolist() for name, values in state.items()}


@pytest.fixture
def spy(tmp_path: Path) -> str:
    (tmp_path / "spy.py").write_text(SPY, encoding="utf-8")
    return "strategy=spy.py"


def test_local_steps_take_the_place_of_epochs(run: Any, tmp_path: Path, spy: str) -> None:
    run("steps", spy, "local_steps=3", "rounds=1")
    run("epochs", spy, "epochs=2", "batch_size=512", "rounds=1")
    assert [steps for _, steps in seen(tmp_path / "steps")[1]] == [3, 3, 3]
    assert [steps for _, steps in seen(tmp_path / "epochs")[1]] == [2, 2, 2]


def test_the_cosine_schedule_falls_from_round_to_round(run: Any, tmp_path: Path, spy: str) -> None:
    run("cosine", spy, "optimizer.schedule=cosine", "optimizer.lr=0.1", "rounds=4")
    run("constant", spy, "optimizer.lr=0.1", "rounds=2")
    rates = {round: clients[0][0] for round, clients in seen(tmp_path / "cosine").items()}
    expected = {round: 0.05 * (1 + math.cos(math.pi * (round - 1) / 4)) for round in (1, 2, 3, 4)}
    assert rates == pytest.approx(expected)
    assert {clients[0][0] for clients in seen(tmp_path / "constant").values()} == {0.1}


def test_sampled_clients_train_and_all_are_evaluated(run: Any, tmp_path: Path, rounds: Any) -> None:
    run("run", "clients=5", "clients_per_round=2", "rounds=4")
    rows = [json.loads(line) for line in (tmp_path / "run/clients.jsonl").read_text(encoding="utf-8").splitlines()]
    trained = [{row["client"] for row in rows if row["round"] == round and "examples" in row and "loss" in row}
               for round in range(1, 5)]  # fmt: skip
    assert [len(clients) for clients in trained] == [2, 2, 2, 2]
    assert len(set(map(frozenset, trained))) > 1
    assert [row["clients"] for row in rounds("run")] == [2, 2, 2, 2]
    evaluated = {row["client"] for row in rows if row["round"] == 4 and "client.loss" in row}
    assert evaluated == {0, 1, 2, 3, 4}


def test_clipping_bounds_every_step_and_a_long_bound_changes_nothing(run: Any, tmp_path: Path) -> None:
    for name, clip in {"free": "null", "long": "1e9", "short": "1e-3", "zero": "1e-30"}.items():
        run(name, f"clip_norm={clip}", "rounds=1", "local_steps=2", "optimizer.lr=1", "clients=1")
    assert weights(tmp_path / "long") == weights(tmp_path / "free")
    start = model(tmp_path / "zero")
    moved = [(w - start[n]).square().sum() for n, w in model(tmp_path / "short").items()]
    assert 1e-3 < sum(moved) ** 0.5 <= 2e-3 * (1 + 1e-4)  # two steps of at most clip_norm each
    free = [(w - start[n]).square().sum() for n, w in model(tmp_path / "free").items()]
    assert sum(free) ** 0.5 > 0.1


def model(run: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.load(run / "checkpoints")
    assert saved is not None
    return dict(saved.shared)


def test_patience_ends_a_run_that_gets_no_better(run: Any, tmp_path: Path, rounds: Any) -> None:
    final = run("run", "patience=2", "rounds=9", "optimizer.lr=1e-12", "metric=accuracy", "checkpoint_every=5")
    assert len(rounds("run")) == 3
    assert (final["rounds"], final["best.round"]) == (3, 1)
    saved = checkpoint.load(tmp_path / "run/checkpoints")
    assert saved is not None
    assert saved.round == 3


def test_the_best_round_is_chosen_by_validation(run: Any, tmp_path: Path, rounds: Any) -> None:
    final = run("run", "metric=loss", "optimizer.lr=0.8", "rounds=6")
    rows = rounds("run")
    best = min(rows, key=lambda row: row["val.loss"])
    assert final["best.round"] == best["round"] < 6
    assert final["best.test.loss"] == best["test.loss"]
    assert final["test.loss"] == pytest.approx(rows[-1]["test.loss"])
    kept = checkpoint.load_best(tmp_path / "run/checkpoints")
    assert kept is not None
    assert kept[0] == best["round"]


def test_evaluations_come_every_few_rounds_and_last(run: Any, rounds: Any) -> None:
    run("run", "eval_every=2", "rounds=5", "scopes=[test,client,adapted]")
    with_test = [row["round"] for row in rounds("run") if "test.auc" in row]
    with_adapted = [row["round"] for row in rounds("run") if "adapted.mean.loss" in row]
    with_client = [row["round"] for row in rounds("run") if "client.mean.loss" in row]
    assert with_test == with_adapted == with_client == [2, 4, 5]


@pytest.mark.parametrize("scope", ["test", "client", "adapted"])
def test_only_the_chosen_scopes_are_evaluated(run: Any, scope: str) -> None:
    final = run("run", f"scopes=[{scope}]", "rounds=1")
    found = {name.split(".")[0] for name, value in final.items() if value is not None}
    assert found & {"test", "client", "adapted"} == {scope}


def test_a_run_without_evaluation_is_a_run(run: Any) -> None:
    final = run("run", "scopes=[]", "rounds=1")
    assert final["rounds"] == 1
    assert not any(name.startswith(("test.", "adapted.")) for name in final)


@pytest.mark.parametrize("strategy", ["fedper", "fedbn"])
def test_a_net_that_is_partly_local_has_no_global_scores(run: Any, tmp_path: Path, strategy: str) -> None:
    final = run("run", f"strategy={strategy}", "model.norm=batch", "scopes=[test,client,adapted]", "rounds=2")
    assert not any(name.startswith("test.") for name in final)
    assert final["client.mean.loss"] > 0
    assert final["adapted.mean.loss"] > 0
    assert not (tmp_path / "run/evaluation.json").exists()


def test_what_stays_on_the_client_is_not_counted_as_traffic(run: Any) -> None:
    whole, body = run("whole", "rounds=1"), run("body", "strategy=fedper", "rounds=1")
    head = (96 + 1) * 6 * 4  # weights and bias of six logits on 96 features, 4 bytes each
    assert whole["bytes.up"] - body["bytes.up"] == 3 * head
    assert whole["bytes.down"] == whole["bytes.up"]


def test_adapted_scores_are_those_of_the_model_right_after_training(run: Any) -> None:
    """With one client, the model after training is the next global model."""
    final = run("run", "clients=1", "rounds=2", "scopes=[client,adapted]")
    assert final["adapted.mean.loss"] == pytest.approx(final["client.mean.loss"], rel=1e-6)


def test_threads_are_put_back(run: Any) -> None:
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    run("run", "rounds=1", "local_steps=1", "scopes=[]", "torch_threads=2")
    assert torch.get_num_threads() == before
    assert torch.equal(torch.random.get_rng_state(), state)
