"""What a trained model must know about its images and classes, kept in the run directory beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from fedmed.data.normalise import Normalise
from fedmed.files import write_atomically
from fedmed.runner.parts import Parts
from fedmed.tasks import TASKS, Task

NAME = "model.json"


def write_card(folder: Path, parts: Parts) -> None:
    """Keeps task, class names, image size and normalisation."""
    normalise = parts.world.normalise
    card = {
        "task": parts.task.kind,
        "classes": parts.task.classes,
        "names": list(parts.task.names),
        "channels": parts.world.channels,
        "side": parts.world.side,
        "pixels": str(parts.world.test.x.dtype).removeprefix("torch."),
        "normalise": {"by": normalise.by, "scale": _listed(normalise.scale), "offset": _listed(normalise.offset)},
    }
    write_atomically(folder / NAME, json.dumps(card, indent=2) + "\n")


def read_card(folder: Path) -> tuple[dict[str, Any], Task, Normalise]:
    """The card as written, the task, and the normalisation."""
    card = json.loads((folder / NAME).read_text(encoding="utf-8"))
    task = TASKS[card["task"]](classes=card["classes"], names=tuple(card["names"]))
    by, scale, offset = card["normalise"].values()
    return card, task, Normalise(by, _tensor(scale), _tensor(offset))


def _listed(statistic: torch.Tensor | None) -> Any:
    return None if statistic is None else statistic.tolist()


def _tensor(values: Any) -> torch.Tensor | None:
    return None if values is None else torch.tensor(values)
