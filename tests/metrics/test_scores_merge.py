"""Tallies of clients, merged, are the tally of all their images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fedmed.metrics import Tally, tally
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task

ROWS = 24


def multiclass(g: torch.Generator) -> tuple[Task, Tensor, Tensor, Tensor]:
    y = torch.arange(ROWS) // 8  # a client each: one class, no AUC
    return MultiClass(classes=3), torch.randn(ROWS, 3, generator=g), y, torch.rand(ROWS, generator=g) < 0.8


def multilabel(g: torch.Generator) -> tuple[Task, Tensor, Tensor, Tensor]:
    y = (torch.rand(ROWS, 4, generator=g) < 0.4).float()
    return MultiLabel(classes=4), torch.randn(ROWS, 4, generator=g), y, torch.rand(ROWS, 4, generator=g) < 0.8


def segmentation(g: torch.Generator) -> tuple[Task, Tensor, Tensor, Tensor]:
    y = torch.randint(3, (ROWS, 6, 6), generator=g).byte()
    return Segmentation(classes=3), torch.randn(ROWS, 3, 6, 6, generator=g), y, torch.ones(ROWS, 6, 6).bool()


def filled(task: Task, rows: slice, *data: Tensor) -> Tally:
    into = tally(task)
    logits, y, seen = (each[rows] for each in data)
    into.add(logits, y, seen)
    return into


@pytest.mark.parametrize("make", [multiclass, multilabel, segmentation])
def test_merged_tallies_equal_one_of_all_images(make: object) -> None:
    task, *data = make(torch.Generator().manual_seed(0))  # type: ignore[operator]
    whole, merged = filled(task, slice(None), *data).scores(), tally(task)
    for start in range(0, ROWS, 8):
        merged.merge(
            {name: tensor.clone() for name, tensor in filled(task, slice(start, start + 8), *data).packed().items()}
        )
    found = merged.scores()
    assert found.values.keys() == whole.values.keys()
    # the Dice part of a segmentation's loss is of a batch as a whole
    assert {**found.values, "loss": 0} == pytest.approx({**whole.values, "loss": 0}, abs=1e-12)
    if task.kind != "segmentation":
        assert found.values["loss"] == pytest.approx(whole.values["loss"], rel=1e-6)
    assert (found.defined, found.detail, found.examples) == (whole.defined, whole.detail, whole.examples)


def test_what_was_merged_is_kept_when_the_senders_memory_is_used_again() -> None:
    task, *data = multilabel(torch.Generator().manual_seed(0))
    into, lent = tally(task), filled(task, slice(None), *data).packed()
    into.merge(lent)
    before = into.scores().values
    for tensor in lent.values():
        tensor.zero_()
    assert into.scores().values == before


def test_a_segmentation_sends_counts_and_no_map() -> None:
    task, *data = segmentation(torch.Generator().manual_seed(0))
    assert {name: tuple(t.shape) for name, t in filled(task, slice(None), *data).packed().items()} == {
        "loss": (2,),
        "counts": (ROWS, 3, 3),
        "worth": (),
    }
