"""A loss of the user's own, tried on a few entries before anything trains."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor

from fedmed import rng
from fedmed.data.examples import Examples
from fedmed.errors import UserError, refuse
from fedmed.options.code import resolve
from fedmed.tasks import Loss, Task

FORM = "a function of (logits, y) that gives the loss of every entry, shaped as y"
FIX = "Leave it unreduced (reduction='none'): what is not annotated is left out before the mean."


def own_loss(target: str, task: Task, labels: Examples | None) -> Loss:
    """The loss that `path/to/file.py:name` names: a function, a module of torch, or a class of either.

    labels: examples whose labels it is tried on; None where none are here. Raises `UserError` where it is not as
    `fedmed.tasks.Loss` wants it.
    """
    found = _made(target, resolve(target))
    if labels is not None and len(labels):
        _try(target, found, task, labels.y[:2])
    return found


def _made(target: str, found: Any) -> Loss:
    """A function as it is, an instance of a class; what reduces by default is made not to."""
    if getattr(found, "__name__", "") == "<lambda>":
        raise refuse(f"loss={target}", FORM, "a lambda, which no other process can be told of", "Write def.")
    if not isinstance(found, type):
        return found  # type: ignore[no-any-return]
    try:
        options = {"reduction": "none"} if "reduction" in signature(found).parameters else {}
        made: Loss = found(**options)
    except Exception as error:
        fix = "Give its arguments defaults, or name an instance: focal = Focal(2.0), loss=path/to/file.py:focal."
        raise refuse(f"loss={target}", "a class that can be made without arguments", _words(error), fix) from error
    return made


def _try(target: str, loss: Loss, task: Task, y: Tensor) -> None:
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
        raise refuse(where, FORM, f"{_words(error)}, on {given}", FIX) from error
    if not isinstance(entries, Tensor):
        raise refuse(where, FORM, type(entries).__name__, FIX)
    if entries.shape != y.shape:
        got = f"a tensor of shape {tuple(entries.shape)} for y of shape {tuple(y.shape)}"
        raise refuse(where, FORM, got, FIX)
    if not entries.requires_grad:
        raise refuse(where, "a loss that depends on the logits", "one without a gradient", "Do not detach them.")
    if not entries.isfinite().all():
        raise refuse(where, "finite values on logits around 0", entries.detach().flatten()[:4].tolist(), "Mend it.")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
