"""An augmentation of the user's own, tried on a few images before anything trains."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fedmed import rng
from fedmed.client.images import augmented
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.errors import Fault, refuse

Faults = Callable[[int], list[Fault]]
"""What is wrong with a net for images of a side, in pixels."""


def moves(augment: Augment) -> bool:
    """What the augmentation says of itself; raises `UserError` where that is no answer."""
    where, fix = f"augment={type(augment).__name__}, moves", "Write it as a @property that returns True or False."
    try:
        said = augment.moves
    except Exception as error:
        raise refuse(where, "True or False", f"{type(error).__name__}: {error}", fix) from error
    if not isinstance(said, bool):
        raise refuse(where, "True or False", type(said).__name__, fix)
    return said


def try_augment(augment: Augment, some: Examples | None, faults: Faults) -> None:
    """Raises `UserError` where it is no augmentation, or makes images that the net cannot take.

    some: training images; None where none are here. faults: of the net, for images of another side.
    """
    if some is None or not len(some):
        return
    x, y = _unit(some.x[:2]), some.y[:2]
    finite = bool(x.isfinite().all())
    made, _ = augmented(augment, x, y.clone(), rng.generator(0, "augmentation on trial"))
    where = f"augment={type(augment).__name__}, apply"
    if finite and not made.isfinite().all():
        raise refuse(where, "finite images", "NaN or infinite pixels", "See what it divides by.")
    if made.shape != x.shape and any(faults(side) for side in made.shape[2:]):
        raise refuse(where, f"images that the model takes, {tuple(x.shape)}", tuple(made.shape), "Keep their size.")


def _unit(x: Tensor) -> Tensor:
    return x.float() / 255 if x.dtype == torch.uint8 else x.clone().float()
