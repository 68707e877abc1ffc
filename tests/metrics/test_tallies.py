from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from fedmed.errors import UserError
from fedmed.metric_direction import DEFAULT_METRIC, HIGHER_IS_BETTER
from fedmed.metrics import declared, higher_is_better, lower_is_better, names, tally
from fedmed.metrics.tallies import SLOW
from fedmed.tasks import TASKS


def own(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    return 0.0


def auc(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
    return 0.0


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_has_its_headline_metric(kind: str) -> None:
    task = TASKS[kind](classes=3)
    scores = tally(task).scores()
    assert DEFAULT_METRIC[kind] in scores.undefined
    assert HIGHER_IS_BETTER[DEFAULT_METRIC[kind]]


def test_every_metric_of_fedmed_has_a_direction_and_errors_and_distances_should_fall() -> None:
    known = {name for task in TASKS.values() for name in names(task(classes=3))} | {*SLOW}
    assert known == HIGHER_IS_BETTER.keys()
    falling = {name for name, higher in HIGHER_IS_BETTER.items() if not higher}
    assert falling == {"loss", "ece", "hamming_loss", *SLOW} - {"surface_dice", "lesion_f1"}


def test_a_metric_of_the_user_says_which_way_it_improves_or_has_no_direction() -> None:
    @lower_is_better
    def off_by(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
        return 0.0

    @higher_is_better
    def hits(p: Tensor, y: Tensor, seen: Tensor | None) -> float:
        return 0.0

    assert declared([off_by, own, hits]) == {"off_by": False, "hits": True}


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
