"""Options that cannot run: exit code 2, one clear sentence per fault, and nothing in the runs folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CONFIG = {
    "unknown strategy": (
        ["strategy=fedproxx"],
        "strategy: expected the name of a strategy, got fedproxx. Did you mean fedprox",
    ),
    "unknown in a chain": (["strategy=fedavg+mooon"], "got mooon. Did you mean moon"),
    "unknown dataset": (["dataset=synthetic_multiclas"], "Did you mean synthetic_multiclass"),
    "unknown model": (["model=unett"], "model: expected the name of a model, got unett. Did you mean unet or dynunet?"),
    "unknown option": (
        ["optimizr.lr=1"],
        "optimizr.lr: expected an option that exists, got 1. Did you mean optimizer.lr",
    ),
    "unknown option of a method": (["strategy=fedprox", "strategy.nu=1"], "strategy.fedprox.nu: expected an option of"),
    "option of another method": (["strategy.mu=1"], "strategy.fedavg.mu: expected an option of"),
    "negative learning rate": (["optimizer.lr=-0.1"], "optimizer.lr: expected a number > 0, got -0.1."),
    "learning rate of zero": (["optimizer.lr=0"], "optimizer.lr: expected a number > 0, got 0"),
    "zero rounds": (["rounds=0"], "rounds: expected a whole number >= 1, got 0."),
    "words for a number": (
        ["strategy=fedprox", "strategy.mu=abc"],
        "strategy.fedprox.mu: expected a number >= 0, got abc.",
    ),
    "too many sampled": (
        ["clients=4", "clients_per_round=5"],
        "clients_per_round: expected at most clients (4), got 5.",
    ),
    "method twice": (["strategy=fedprox+fedprox"], "strategy: expected every method once, got fedprox+fedprox."),
    "no such path": (["dataset=npz", "dataset.path=nope.npz"], "dataset.path: expected an npz file, got"),
    "no path": (["dataset=npz"], "dataset.path: expected an npz file, got nothing. Set dataset.path="),
    "own file that is not there": (["strategy=nope.py"], "strategy: expected a file that exists"),
    "own loss that is not there": (["loss=nope.py:mine"], "loss: expected a file that exists"),
    "model for another task": (
        ["dataset=synthetic_segmentation", "model=small_cnn"],
        "model: expected a model for segmentation, got small_cnn",
    ),
    "method for another task": (
        ["dataset=synthetic_segmentation", "dataset.images=20", "model=unet", "strategy=moon"],
        "strategy: expected a task with one feature vector per image for moon, got segmentation.",
    ),
    "local part that is not there": (["strategy=fedbn"], "strategy.fedbn.local: expected patterns that match weights"),
    "clients without images": (
        ["dataset.images=100", "clients=90"],
        "partition.min_size: expected at least 1 training image",
    ),
    "momentum with scaffold": (["strategy=scaffold", "optimizer.momentum=0.9"], "optimizer: expected plain SGD"),
    "images too small": (["dataset.side=12", "model=resnet18"], "model: expected images of at least"),
    "sites that are not there": (["partition=site"], "partition: expected a dataset that knows the site"),
    "annotation for another task": (["annotation=incomplete_masks"], "annotation"),
    "a run that is not there": (
        ["resume=nope"],
        "resume: expected a run directory (a folder with run.json), got nope.",
    ),
}


@pytest.mark.parametrize(("overrides", "words"), CONFIG.values(), ids=CONFIG)
def test_a_config_that_cannot_run_is_refused(refused: Any, overrides: list[str], words: str) -> None:
    (line,) = refused(*overrides)
    assert words in line


def test_all_faults_of_a_config_are_reported_together(refused: Any) -> None:
    odd = ("rounds=0", "optimizer.lr=-1", "strategy=fedprox", "strategy.mu=-2", "clients=2", "clients_per_round=3")
    lines = "\n".join(refused(*odd, "modle=unet", "partition=irichlet"))
    for where in ("rounds:", "optimizer.lr:", "strategy.fedprox.mu:", "clients_per_round:", "modle:", "partition:"):
        assert f"fedmed: error: {where}" in lines


def test_a_sweep_with_one_bad_run_starts_none(fedmed: Any, tmp_path: Path) -> None:
    code, out, err = fedmed("run", "experiment=smoke", "--multirun", "strategy=fedavg,fedprx", "seed=0,1")
    assert (code, out) == (2, "")
    assert "got fedprx. Did you mean fedprox" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "command",
    [("describe", "strategy=nope"), ("describe", "dataset=npz", "dataset.path=nope.npz"), ("export", "nope"),
     ("predict", "nope", "nope.npz"), ("list", "strategys"), ("new", "Not-a-name"), ("trian",), ("run", "--jsn")],
    ids=" ".join,
)  # fmt: skip
def test_other_commands_refuse_in_the_same_form(fedmed: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    code, out, err = fedmed(*command)
    assert (code, out) == (2, "")
    assert err.startswith("fedmed: error: ")
    assert "expected" in err
    assert "got" in err
    assert list(tmp_path.iterdir()) == []
