"""What a trained model must know about its images and classes, kept in the run directory beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from fedmed.data.normalise import Normalise
from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.results import forms
from fedmed.results.json_text import parse
from fedmed.run.parts import Parts
from fedmed.tasks import TASKS, Task

NAME = "model.json"
FIELDS: forms.Fields = {
    "task": str,
    "classes": int,
    "names": list,
    "channels": int,
    "side": int,
    "pixels": str,
    "normalise": dict,
}


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
    """The card as written, the task, and the normalisation; raises `UserError` where it is missing or damaged."""
    path = folder / NAME
    if not path.is_file():
        raise refuse(str(path), "a file", "none", forms.FIX)
    card = parse(path.read_bytes(), str(path))
    forms.check_fields(card, FIELDS, str(path))

    def parts() -> tuple[Task, Normalise]:
        task = TASKS[card["task"]](classes=card["classes"], names=tuple(map(str, card["names"])))
        by, scale, offset = (card["normalise"][name] for name in ("by", "scale", "offset"))
        return task, Normalise(by, _tensor(scale), _tensor(offset))

    task, normalise = forms.checked(parts, str(path), "what a model must know")
    return card, task, normalise


def _listed(statistic: torch.Tensor | None) -> Any:
    return None if statistic is None else statistic.tolist()


def _tensor(values: Any) -> torch.Tensor | None:
    return None if values is None else torch.tensor(values)
