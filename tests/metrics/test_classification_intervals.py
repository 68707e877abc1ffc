"""Intervals of the AUC, whose resamples are scored together: the bits of each scored alone."""

from __future__ import annotations

import pytest
import torch

from fedmed.metrics import classification, tally
from fedmed.metrics.bootstrap import interval
from fedmed.metrics.scores import mean
from fedmed.tasks import MultiClass, MultiLabel, Task


@pytest.mark.parametrize("task", [MultiClass(classes=4), MultiClass(classes=2), MultiLabel(classes=3)], ids=str)
@pytest.mark.parametrize("patients", [None, 9])
@pytest.mark.parametrize("at_once", [2**20, 100])
def test_resamples_together_have_the_bits_of_each_alone(
    task: Task, patients: int | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classification, "RESAMPLED", at_once)
    g = torch.Generator().manual_seed(0)
    logits = torch.randint(-3, 3, (40, task.outputs), generator=g).float()  # many ties
    if task.kind == "multiclass":
        y, seen = torch.randint(task.classes, (40,), generator=g), torch.rand(40, generator=g) < 0.8
    else:
        y, seen = torch.randint(2, (40, 3), generator=g).float(), torch.rand(40, 3, generator=g) < 0.8
    into = tally(task)
    assert isinstance(into, classification.ClassificationTally)
    into.add(logits, y, seen)
    groups = None if patients is None else torch.randint(patients, (40,), generator=g)
    outputs, rows = into._outputs()
    alone = interval(
        lambda drawn: mean(classification.METRICS[task.kind]["auc"](outputs[drawn])),
        rows.nonzero().squeeze(1) if groups is None else groups[rows],
        seed=3,
        resamples=200,
    )
    assert into.interval("auc", groups, seed=3, resamples=200) == alone
    assert alone[0] < alone[1]
