"""What a run keeps of clients at fault, how it stops, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmed.errors import UserError
from fedmed.flower import ClientError
from fedmed.rundir import checkpoint

NAN = '''\
"""Sends NaN at one client in one round."""

from dataclasses import dataclass

import torch

from fedmed.method import Client, Method, Payload


@dataclass(frozen=True, kw_only=True)
class Spoils(Method):
    """Sends NaN at client 1 in round 2.

    local: what stays on the client ([] shares everything).
    """

    def report(self, client: Client) -> Payload:
        if (client.id, client.round) == (1, 2):
            with torch.no_grad():
                client.model.head.weight.fill_(torch.nan)
        return {}
'''

STRICT_JSON = {"parse_constant": lambda token: pytest.fail(f"{token} is no JSON")}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, **STRICT_JSON) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def nan(tmp_path: Path) -> str:
    (tmp_path / "spoils.py").write_text(NAN, encoding="utf-8")
    return "strategy=spoils.py"


@pytest.mark.parametrize("engine", ["inprocess", "pool"])
def test_a_fault_is_a_row_a_count_and_a_note(run: Any, tmp_path: Path, nan: str, capsys: Any, engine: str) -> None:
    final = run("skipped", nan, "on_client_error=skip", f"engine={engine}")
    (row,) = lines(tmp_path / "skipped/faults.jsonl")
    assert (row["round"], row["client"], row["stage"]) == (2, 1, "train")
    assert "expected finite weights after training, got nan in head.weight" in row["what"]
    assert final["faults"] == 1
    assert [row.get("fault") for row in lines(tmp_path / "skipped/rounds.jsonl")] == [None, 1, None]
    left_out = [row for row in lines(tmp_path / "skipped/clients.jsonl") if row.get("fault")]
    assert [(row["round"], row["client"]) for row in left_out] == [(2, 1)]
    assert "client 1, round 2, train: left out, expected finite" in capsys.readouterr().err


def test_a_run_that_stopped_goes_on_from_its_last_checkpoint_without_the_client(
    run: Any, tmp_path: Path, nan: str, fedmed: Any
) -> None:
    with pytest.raises(ClientError, match=r"client 1, round 2, train, strategy spoils: expected finite weights"):
        run("stopped", nan)
    saved = checkpoint.load(tmp_path / "stopped/checkpoints")
    assert saved is not None
    assert saved.round == 1
    assert all(tensor.isfinite().all() for tensor in saved.shared.values())
    assert [row["client"] for row in lines(tmp_path / "stopped/faults.jsonl")] == [1]
    code, _, err = fedmed("run", f"resume={tmp_path / 'stopped'}", "--trust", "spoils.py")
    assert code == 2
    assert "client 1, round 2, train" in err
    code, _, err = fedmed("run", f"resume={tmp_path / 'stopped'}", "on_client_error=skip", "--trust", tmp_path)
    assert code == 0, err
    run("skipped", nan, "on_client_error=skip")
    ends = [checkpoint.load(tmp_path / name / "checkpoints") for name in ("stopped", "skipped")]
    assert all(torch.equal(tensor, ends[1].shared[name]) for name, tensor in ends[0].shared.items())  # type: ignore[union-attr]


def test_a_tolerance_that_is_no_choice_is_refused_on_resume(run: Any, tmp_path: Path, nan: str, fedmed: Any) -> None:
    run("run", "rounds=1")
    code, _, err = fedmed("run", f"resume={tmp_path / 'run'}", "on_client_error=perhaps")
    assert code == 2
    assert "on_client_error" in err


def test_more_clients_than_there_are_cannot_be_left(run: Any) -> None:
    with pytest.raises(UserError, match="min_clients: expected at most 3"):
        run("run", "min_clients=4")


DIVERGES = ("local_steps=1", "optimizer.lr=1e6", "dataset.side=16", "dataset.classes=3", "partition=iid", "rounds=2")


def test_the_result_of_a_run_that_diverged_is_of_its_last_round_and_its_exit_is_not_0(
    tmp_path: Path, fedmed: Any
) -> None:
    small = (
        "clients=3",
        "model.width=4",
        "dataset.images=90",
        "dataset.test_images=20",
        f"hydra.run.dir={tmp_path / 'r'}",
    )
    code, out, err = fedmed("run", "-q", "--json", *DIVERGES, *small)
    assert code == 2
    assert "expected a last model with finite outputs" in err
    final = json.loads(out, **STRICT_JSON)
    assert not [name for name, value in final.items() if name.startswith("test.") and value is not None]
    for name in ("final.json", "evaluation.json"):
        json.loads((tmp_path / "r" / name).read_text(encoding="utf-8"), **STRICT_JSON)
    assert lines(tmp_path / "r/rounds.jsonl")[-1]["test.loss"] is None


def test_a_model_that_is_not_finite_is_neither_exported_nor_used(run: Any, tmp_path: Path, fedmed: Any) -> None:
    run("run", "rounds=1")
    saved = checkpoint.load(tmp_path / "run/checkpoints")
    assert saved is not None
    broken = {name: torch.full_like(tensor, torch.nan) for name, tensor in saved.shared.items()}
    checkpoint.save(tmp_path / "run/checkpoints", checkpoint.Checkpoint(round=2, shared=broken, server=saved.server))
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 28, 28), np.uint8))
    for command in (("export", tmp_path / "run"), ("predict", tmp_path / "run", tmp_path / "x.npz")):
        code, _, err = fedmed(*command)
        assert code == 2
        assert "expected finite weights of a model, got nan" in err


def test_a_client_that_raises_leaves_the_traceback_and_the_way_on(run: Any, tmp_path: Path) -> None:
    (tmp_path / "spoils.py").write_text(
        NAN.replace("client.model.head.weight.fill_(torch.nan)", "{}['lost']"), encoding="utf-8"
    )
    with pytest.raises(KeyError, match="lost") as raised:
        run("run", "strategy=spoils.py")
    notes = " ".join(raised.value.__notes__)
    assert "in spoils.report" in notes
    assert "client 1, round 2, train, strategy spoils. on_client_error=skip goes on" in notes
