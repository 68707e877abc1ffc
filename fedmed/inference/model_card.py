"""What a trained model must know about its images and classes, kept in the run directory beside the weights."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from fedmed.data.normalise import Normalise
from fedmed.data.world import World
from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.rundir import schema
from fedmed.rundir.json_text import parse
from fedmed.tasks import TASKS, Task

NAME = "model.json"
FIELDS: schema.Fields = {
    "task": str,
    "classes": int,
    "names": list,
    "channels": int,
    "side": int,
    "pixels": str,
    "normalise": dict,
}


def write_card(
    folder: Path, task: Task, world: World, *, local: Collection[str], built: Collection[str], frozen: bool = False
) -> None:
    """Keeps task, class names, image size and normalisation; the number of clients, and what is theirs of the net.

    local: names of the weights that stay at each client. built: the methods that have built on the net, or adjust it or
    predict in a way of their own: their code is needed for it to predict. frozen: whether nobody trains some of the
    net, so that checkpoints lack it.
    """
    normalise = world.normalise
    card = {
        "task": task.kind,
        "classes": task.classes,
        "names": list(task.names),
        "channels": world.channels,
        "side": world.side,
        "dimensions": world.dimensions,
        "patch": world.patch,
        "clients": len(world.shares),
        "local": sorted(local),
        "built": list(built),
        "frozen": frozen,
        "pixels": str(world.test.x.dtype).removeprefix("torch."),
        "normalise": {"by": normalise.by, "scale": _listed(normalise.scale), "offset": _listed(normalise.offset)},
    }
    write_atomically(folder / NAME, json.dumps(card, indent=2) + "\n")


def read_card(folder: Path) -> tuple[dict[str, Any], Task, Normalise]:
    """The card as written, the task, and the normalisation; raises `UserError` where it is missing or damaged."""
    path = folder / NAME
    if not path.is_file():
        raise refuse(str(path), "a file", "none", schema.FIX)
    card = parse(path.read_bytes(), str(path))
    schema.check_fields(card, FIELDS, str(path))

    def parts() -> tuple[Task, Normalise]:
        task = TASKS[card["task"]](classes=card["classes"], names=tuple(map(str, card["names"])))
        by, scale, offset = (card["normalise"][name] for name in ("by", "scale", "offset"))
        return task, Normalise(by, _tensor(scale), _tensor(offset))

    task, normalise = schema.checked(parts, str(path), "what a model must know")
    return card, task, normalise


def dimensions_of(card: Mapping[str, Any]) -> int:
    """Of the images that a model takes: 2, or 3 for volumes; cards of before volumes do not say."""
    return int(card.get("dimensions", 2))


def _listed(statistic: torch.Tensor | None) -> Any:
    return None if statistic is None else statistic.tolist()


def _tensor(values: Any) -> torch.Tensor | None:
    return None if values is None else torch.tensor(values)
