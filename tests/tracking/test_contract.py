from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from fedmed.errors import UserError
from fedmed.tracking import contract
from fedmed.tracking.contract import grouped, numbers
from fedmed.tracking.mlflow import MlflowTracking
from fedmed.tracking.wandb import WandbTracking


@pytest.mark.parametrize(
    ("tracking", "words"),
    [
        (MlflowTracking(), "tracking=mlflow: expected the package mlflow, got no such package"),
        (WandbTracking(), "tracking=wandb: expected the package wandb, got no such package"),
    ],
)
def test_a_missing_package_is_refused_with_what_to_install(
    tracking: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        tracking.check()
    assert words in str(caught.value)
    assert f"pip install 'fedmed-sim[{words[9:].partition(':')[0]}]'" in str(caught.value)


@pytest.mark.parametrize("uri", ["mlruns.db", "htp://x", ""])
def test_a_place_that_mlflow_cannot_mean_is_refused(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "find_spec", lambda name: find_spec("json"))
    with pytest.raises(UserError, match=r"tracking\.uri"):
        MlflowTracking(uri=uri).check()
    MlflowTracking(uri="sqlite:///here.db").check()
    MlflowTracking(uri="postgresql+psycopg://host/db").check()


def test_numbers_are_what_can_be_drawn() -> None:
    row = {"round": 3, "loss": 0.5, "clients": 4, "test.f1": None, "test.ece": float("nan"), "directory": "runs/a"}
    assert numbers(row) == {"loss": 0.5, "clients": 4.0}


def test_names_are_grouped_by_what_they_begin_with() -> None:
    assert [grouped(n) for n in ("loss", "test.auc", "client.worst.auc")] == ["loss", "test/auc", "client/worst.auc"]
