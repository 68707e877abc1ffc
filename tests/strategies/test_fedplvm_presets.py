from pathlib import Path
from typing import Any

import pytest

from fedmed.config.build import experiment_from
from fedmed.config.compose import compose

COMMON = {"alpha": 0.25, "temperature": 0.07, "local_clusters": "finch", "global_clusters": "finch"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("preset", "fields"),
    [
        ("fedplvm", {"weight": 1.0, "correction": "mean", "aggregate": "size", "min_examples": 2}),
        ("fedplvm_paper", {"weight": 100.0, "correction": "sum", "aggregate": "size", "min_examples": 1}),
        ("fedplvm_released", {"weight": 100.0, "correction": "mean", "aggregate": "uniform", "min_examples": 1}),
    ],
)
def test_a_preset_is_what_the_specification_says(preset: str, fields: dict[str, Any]) -> None:
    chosen = experiment_from([f"strategy={preset}"]).methods.members["fedplvm"]
    assert {name: getattr(chosen, name) for name in fields | COMMON} == fields | COMMON


def test_the_paper_s_optimizer_and_rounds() -> None:
    config = experiment_from(["experiment=fedplvm_paper", "dataset.path=none.npz"])
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == ("sgd", 0.01, 0.5, 1e-5)
    assert (config.rounds, config.epochs, config.batch_size) == (50, 2, 32)
    assert vars(config.methods.members["fedplvm"])["correction"] == "sum"


@pytest.mark.parametrize("alpha", ["0", "-0.5", "1.01"])
def test_an_exponent_outside_its_bounds_is_refused(alpha: str) -> None:
    with pytest.raises(Exception, match=r"strategy\.fedplvm\.alpha: expected a number"):
        compose(["strategy=fedplvm", f"strategy.alpha={alpha}"])
