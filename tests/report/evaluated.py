"""Evaluations without a run: what a net of a given strength would have left in evaluation.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from fedmed.metrics import tally
from fedmed.rundir.evaluation import write_evaluation
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task


def evaluate(
    folder: Path,
    kind: str = "multiclass",
    *,
    classes: int = 3,
    images: int = 90,
    strength: float = 1.0,
    seed: int = 0,
    names: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Path:
    """Writes evaluation.json, and model.json where there are names. without: entries that it lacks."""
    g = torch.Generator().manual_seed(seed)
    task, logits, y = _outputs(kind, classes, images, strength, g)
    sums = tally(task)
    sums.add(logits, y, None)
    scores = sums.scores()
    content = {"values": dict(scores.values), "examples": images, **scores.detail, "breakdown": sums.breakdown()}
    write_evaluation({name: value for name, value in content.items() if name not in without}, folder)
    if names:
        (folder / "model.json").write_text(json.dumps({"names": [*names]}), encoding="utf-8")
    return folder


def _outputs(
    kind: str, classes: int, images: int, strength: float, g: torch.Generator
) -> tuple[Task, torch.Tensor, torch.Tensor]:
    if kind == "multiclass":
        y = torch.randint(classes, (images,), generator=g)
        logits = torch.randn(images, classes, generator=g)
        logits[torch.arange(images), y] += strength
        return MultiClass(classes=classes), logits, y
    if kind == "multilabel":
        y = torch.randint(2, (images, classes), generator=g).float()
        return MultiLabel(classes=classes), torch.randn(y.shape, generator=g) + strength * (2 * y - 1), y
    y = torch.randint(classes, (images, 8, 8), generator=g)
    logits = torch.randn(images, classes, 8, 8, generator=g)
    logits.scatter_add_(1, y.unsqueeze(1), torch.full((images, 1, 8, 8), float(strength)))
    return Segmentation(classes=classes), logits, y
