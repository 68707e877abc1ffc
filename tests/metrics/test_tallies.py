from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from fedmed.errors import UserError
from fedmed.headline import HEADLINE, higher_is_better
from fedmed.metrics import tally
from fedmed.tasks import TASKS


def own(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    return 0.0


def auc(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    return 0.0


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_has_its_headline_metric(kind: str) -> None:
    task = TASKS[kind](classes=3)
    scores = tally(task).scores()
    assert HEADLINE[kind] in scores.undefined
    assert higher_is_better(HEADLINE[kind])


def test_errors_and_distances_should_fall() -> None:
    assert [
        m for m in ("loss", "auc", "ece", "hd95", "surface_distance", "dice", "own") if not higher_is_better(m)
    ] == [
        "loss",
        "ece",
        "hd95",
        "surface_distance",
    ]


def test_every_metric_has_a_name_of_its_own() -> None:
    with pytest.raises(UserError, match="a name of its own for every metric, got auc"):
        tally(TASKS["multilabel"](classes=2), extra=[auc])
    with pytest.raises(UserError, match="got own"):
        tally(TASKS["segmentation"](classes=2), extra=[own, own])


def test_the_loss_of_the_user_is_the_one_reported() -> None:
    task = TASKS["multiclass"](classes=3, entrywise=lambda logits, y: torch.full(y.shape, 2.5))
    into = tally(task)
    into.add(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), None)
    assert into.scores().values["loss"] == 2.5


def test_importing_the_metrics_does_not_import_monai() -> None:
    code = "import sys, fedmed.metrics; sys.exit('monai' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
