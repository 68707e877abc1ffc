"""A loss or an augmentation of the user's own, tried on a few images before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from fedmed import rng
from fedmed.client.images import augmented
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.errors import Fault, UserError, refuse
from fedmed.options.code import resolve
from fedmed.tasks import Loss, Task

FORM = "a function of (logits, y) that gives the loss of every entry, shaped as y"
FIX = "Leave it unreduced (reduction='none'): what is not annotated is left out before the mean."


def own_loss(target: str, task: Task, labels: Examples | None) -> Loss:
    """The loss that `path/to/file.py:name` names: a function, a module of torch, or a class of either.

    labels: examples whose labels it is tried on; None where none are here. Raises `UserError` where it is not as
    `fedmed.tasks.Loss` wants it.
    """
    found = _instance(target, resolve(target))
    if labels is not None and len(labels):
        _try_loss(target, found, task, labels.y[:2])
    return found


def _instance(target: str, found: Any) -> Loss:
    """The function or module itself; of a class an instance, with reduction="none" where it takes one."""
    if getattr(found, "__name__", "") == "<lambda>":
        raise refuse(f"loss={target}", FORM, "a lambda, which no other process can be told of", "Write def.")
    if not isinstance(found, type):
        return found  # type: ignore[no-any-return]
    try:
        options = {"reduction": "none"} if "reduction" in signature(found).parameters else {}
        made: Loss = found(**options)
    except Exception as error:
        fix = "Give its arguments defaults, or name an instance: focal = Focal(2.0), loss=path/to/file.py:focal."
        raise refuse(f"loss={target}", "a class that can be made without arguments", _text(error), fix) from error
    return made


def _try_loss(target: str, loss: Loss, task: Task, y: Tensor) -> None:
    where, sides = f"loss={target}", y.shape[1:] if task.kind == "segmentation" else ()
    draws = rng.generator(0, "loss on trial")
    logits = torch.randn(len(y), task.outputs, *sides, generator=draws).requires_grad_()
    try:
        with torch.enable_grad():
            entries = loss(logits, y)
    except UserError:
        raise
    except Exception as error:
        given = f"logits {tuple(logits.shape)} and y {tuple(y.shape)} {str(y.dtype).removeprefix('torch.')}"
        raise refuse(where, FORM, f"{_text(error)}, on {given}", FIX) from error
    if not isinstance(entries, Tensor):
        raise refuse(where, FORM, type(entries).__name__, FIX)
    if entries.shape != y.shape:
        got = f"a tensor of shape {tuple(entries.shape)} for y of shape {tuple(y.shape)}"
        raise refuse(where, FORM, got, FIX)
    if not entries.requires_grad:
        raise refuse(where, "a loss that depends on the logits", "one without a gradient", "Do not detach them.")
    if not entries.isfinite().all():
        raise refuse(where, "finite values on logits around 0", entries.detach().flatten()[:4].tolist(), "Mend it.")


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


ShapeFaults = Callable[[int], list[Fault]]
"""Gives the faults of a net for images of a side (pixels)."""


def try_augment(augment: Augment, some: Examples | None, faults: ShapeFaults) -> None:
    """Applies the augmentation to two images; raises `UserError` where it fails, or the net cannot take what it makes.

    some: training images; None where none are here. faults: of the net, for images of another side.
    """
    if some is None or not len(some):
        return
    x, y = _as_floats(some.x[:2]), some.y[:2]
    finite = bool(x.isfinite().all())
    made, _ = augmented(augment, x, y.clone(), rng.generator(0, "augmentation on trial"))
    where = f"augment={type(augment).__name__}, apply"
    if finite and not made.isfinite().all():
        raise refuse(where, "finite images", "NaN or infinite pixels", "See what it divides by.")
    if made.shape != x.shape and any(faults(side) for side in made.shape[2:]):
        raise refuse(where, f"images that the model takes, {tuple(x.shape)}", tuple(made.shape), "Keep their size.")


def _as_floats(x: Tensor) -> Tensor:
    return x.float() / 255 if x.dtype == torch.uint8 else x.clone().float()
