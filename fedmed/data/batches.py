"""Batches: which rows make each step of local training, and each batch of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from math import ceil

import torch
from torch import Tensor

from fedmed.data.examples import Examples


def batches(rows: int, size: int, generator: torch.Generator, *, epochs: int, steps: int | None) -> Iterator[Tensor]:
    """Row indices (B,) of every optimizer step: `epochs` shuffled passes, or exactly `steps` steps over as many passes.

    The last batch of a pass may be smaller; a last batch of a single row joins the one before it (BatchNorm needs two).
    """
    passes = range(epochs) if steps is None else count()
    return islice((index for _ in passes for index in _one_pass(rows, size, generator)), steps)


def images_seen(rows: int, size: int, *, epochs: int, steps: int | None) -> int:
    """How many images `batches` gives, repeats counted."""
    if steps is None:
        return rows * epochs
    a_pass = _steps_of_a_pass(rows, size)
    return steps // a_pass * rows + steps % a_pass * size


def steps_taken(rows: int, size: int, *, epochs: int, steps: int | None) -> int:
    """How many batches `batches` gives."""
    return epochs * _steps_of_a_pass(rows, size) if steps is None else steps


def _steps_of_a_pass(rows: int, size: int) -> int:
    return rows // size if _joins(rows, size) else -(-rows // size)


def _joins(rows: int, size: int) -> bool:
    """Whether a last batch of a single row joins the one before it."""
    return rows > size and rows % size == 1


def _one_pass(rows: int, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    order = torch.randperm(rows, generator=generator)
    sizes = [size] * (rows // size - 1) + [size + 1] if _joins(rows, size) else size
    parts: tuple[Tensor, ...] = order.split(sizes)
    return parts


def in_parts(tensor: Tensor, pixels: int = 2**26) -> tuple[Tensor, ...]:
    """The tensor in parts of about so many pixels, one image at least, so that a copy of each takes little memory."""
    parts: tuple[Tensor, ...] = tensor.split(max(1, pixels // max(1, tensor[:1].numel())))
    return parts


def evaluation_slices(examples: Examples, pixels: int = 2**18) -> Iterator[slice]:
    """Slices that cover the examples in equal evaluation batches of at most 16 to 96 images, fewer for larger images.

    More would be slower with a small net on a processor: what its first layers give would outgrow the caches. Of
    volumes a batch may hold one alone.
    """
    least = 16 if examples.x.dim() < 5 else 1
    most = max(least, min(96, pixels // examples.x.shape[2:].numel()))
    rows, parts = len(examples), ceil(len(examples) / most)
    return (slice(rows * part // parts, rows * (part + 1) // parts) for part in range(parts))
