"""The commands of the README, as a new user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

FEW = ("dataset.images=200", "dataset.test_images=60", "rounds=2")


def test_a_run_shows_its_progress_then_its_result(fedmed: Any, tmp_path: Path) -> None:
    code, out, err = fedmed("run", "experiment=smoke")
    assert code == 0
    engine, first, last = err.splitlines()
    assert engine.startswith("engine=auto: one process")
    assert first.startswith("round 1/2  loss ")
    assert "test.auc" in first
    assert last.endswith("0:00 left")
    lines = out.splitlines()
    assert lines[0].split() == ["test", "mean", "client", "worst", "client", "best", "test"]
    assert any(line.startswith("auc ") for line in lines)
    assert any("up 5.3 MB" in line and "down 5.3 MB" in line for line in lines)
    assert (tmp_path / lines[-1] / "final.json").is_file()
    assert lines[-1].startswith("runs/")


def test_json_is_the_last_line_and_the_only_one(fedmed: Any, tmp_path: Path) -> None:
    code, out, err = fedmed("run", "experiment=smoke", "--json")
    assert code == 0
    final = json.loads(out)
    assert out.count("\n") == 1
    assert {"test.loss", "test.auc", "test.accuracy", "client.worst.auc", "bytes.up", "bytes.down"} <= final.keys()
    assert final == json.loads((tmp_path / final["directory"] / "final.json").read_text(encoding="utf-8"))
    assert "round 2/2" in err
    assert fedmed("run", "experiment=smoke", "--json", "--quiet")[2] == ""


@pytest.mark.parametrize("how", ["hydra.run.dir", "FEDMED_RUNS"])
def test_runs_go_where_the_user_says(fedmed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "FEDMED_RUNS":
        monkeypatch.setenv("FEDMED_RUNS", str(tmp_path / "elsewhere"))
    given = [f"hydra.run.dir={tmp_path}/elsewhere/run"] if how == "hydra.run.dir" else []
    code, out, err = fedmed("run", "experiment=smoke", "rounds=1", "--json", *given)
    assert code == 0, err
    assert Path(json.loads(out)["directory"]).parent == tmp_path / "elsewhere"
    assert not (tmp_path / "runs").exists()


def test_a_sweep_runs_every_combination(fedmed: Any, tmp_path: Path) -> None:
    options = ("experiment=smoke", "rounds=1", "--multirun", "strategy=fedavg,fedprox", "seed=0,1")
    code, out, err = fedmed("run", *options, "--json")
    assert code == 0, err
    finals = [json.loads(line) for line in out.splitlines()]
    names = [Path(final["directory"]).name for final in finals]
    assert finals[0]["directory"].startswith("runs/")
    assert names == [
        "0_fedavg_synthetic_multiclass_seed0",
        "1_fedavg_synthetic_multiclass_seed1",
        "2_fedprox_synthetic_multiclass_seed0",
        "3_fedprox_synthetic_multiclass_seed1",
    ]
    assert [line for line in err.splitlines() if line.startswith("run ")][3].startswith("run 4 of 4: runs/")
    assert len({final["test.loss"] for final in finals}) == 4
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_a_run_of_a_sweep_is_the_run_alone(fedmed: Any) -> None:
    _, alone, _ = fedmed("run", "experiment=smoke", "seed=1", "strategy=fedprox", "strategy.mu=0.5", "--json")
    sweep = ("experiment=smoke", "-m", "strategy=fedavg,fedprox", "seed=1", "strategy.fedprox.mu=0.5", "--json")
    _, swept, _ = fedmed("run", *sweep)
    assert json.loads(swept.splitlines()[1])["test.loss"] == json.loads(alone)["test.loss"]


def test_a_new_method_runs_at_once(fedmed: Any, tmp_path: Path) -> None:
    code, out, _ = fedmed("new", "my_method")
    assert code == 0
    assert out.startswith("wrote strategies/my_method.py")
    assert (tmp_path / "strategies/my_method.py").is_file()
    code, out, err = fedmed("run", "experiment=smoke", "rounds=1", "strategy=my_method+fedprox", "--json")
    assert code == 0, err
    assert "_my_method+fedprox_" in json.loads(out)["directory"]
    assert "my_method" in fedmed("list", "strategies")[1]
    assert "strength=0.001" in fedmed("list", "strategies")[1]


def test_a_method_combined_with_another_runs_on_every_task(fedmed: Any) -> None:
    segment = ("dataset=synthetic_segmentation", "dataset.images=60", "dataset.test_images=20", "dataset.side=32")
    options = ("model=unet", "model.channels=[4,8]", "strategy=fedprox+fedbn", "strategy.fedprox.mu=0.1", "rounds=1")
    code, out, err = fedmed("run", *segment, *options, "clients=3", "--json")
    assert code == 0, err
    final = json.loads(out)
    assert "test.dice" not in final
    assert 0 <= final["client.worst.dice"] <= final["client.mean.dice"] <= 1
    code, out, err = fedmed("run", "dataset=synthetic_multilabel", *FEW, "--json")
    assert code == 0, err
    assert 0 < json.loads(out)["test.map"] < 1


def test_the_composed_config_is_shown_and_nothing_runs(fedmed: Any, tmp_path: Path) -> None:
    code, out, _ = fedmed("run", "--cfg", "job", "strategy=fedprox", "strategy.mu=0.3")
    assert code == 0
    config = yaml.safe_load(out)
    assert config["strategy"]["fedprox"]["mu"] == 0.3
    assert list(tmp_path.iterdir()) == []


def test_the_federation_is_shown_drawn_and_kept(fedmed: Any, tmp_path: Path) -> None:
    options = ("experiment=smoke", "partition=dirichlet", "partition.alpha=0.1", "seed=3")
    code, out, err = fedmed("describe", *options, "--png", "d.png", "--save", "d.npz")
    assert code == 0, err
    assert "4 clients" in out
    drawn = np.asarray(Image.open(tmp_path / "d.png").convert("RGB"))
    assert min(drawn.shape[:2]) > 300
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20
    again = fedmed("describe", "experiment=smoke", "partition=file", "partition.path=d.npz", "seed=3", "--no-png")[1]
    table = [line for line in out.splitlines() if line[:1].isdigit() and "clients" not in line]
    assert len(table) == 4
    assert [line for line in again.splitlines() if line[:1].isdigit() and "clients" not in line] == table
    assert not (tmp_path / "runs").exists()


BREAST = ("dataset=medmnist", "dataset.name=breastmnist", "partition=dirichlet", "partition.alpha=0.5", "clients=5")
REAL = {
    "breastmnist": (*BREAST, "dataset.root={}/breastmnist", "strategy=fedprox", "strategy.mu=0.01", "seed=1"),
    "nuclei": (
        "dataset=npz", "dataset.path={}/nuclei/nuclei_128.npz", "dataset.resize=32", "partition=site", "model=unet",
    ),
    "mednist": (
        "dataset=npz", "dataset.path={}/mednist/mednist.npz", "partition=pathological",
        "partition.classes_per_client=2", "strategy=scaffold", "local_steps=2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_images_train_by_the_commands_of_the_readme(fedmed: Any, shared_data: Path, name: str) -> None:
    options = [option.format(shared_data) for option in REAL[name]]
    code, out, err = fedmed("run", *options, "rounds=1", "scopes=[test]", "--json")
    assert code == 0, err
    assert json.loads(out)["test.loss"] > 0
