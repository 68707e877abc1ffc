"""Weights under other names found by order and shape: layers of equal shapes, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

COUNTER = "num_batches_tracked"
"""How a batch normalisation's count of batches ends, which some files leave out; it begins at 0."""


def by_order(given: Mapping[str, Tensor], body: Mapping[str, Tensor]) -> dict[str, str]:
    """Own name -> name in the file: layers of equal shapes in the order in which they stand.

    A normalisation goes with the layer before it, as projections of shortcuts stand first in some libraries and last
    in others. The first filters may be for images of another number of channels.
    """
    first = next((value.shape[1] for value in body.values() if value.dim() >= 4), None)
    free, found = _blocks(given, first), dict[str, str]()
    for block in _blocks(body, first):
        match = next((other for other in free if other.shapes == block.shapes), None)
        if match is not None:
            free.remove(match)
            found |= {own: source for (_, own), (_, source) in zip(block.entries, match.entries, strict=True)}
    return found


class _Block(NamedTuple):
    """A layer with weights and the normalisation beside it: entries by last name, layer by layer."""

    entries: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]


def _blocks(tensors: Mapping[str, Tensor], channels: int | None) -> list[_Block]:
    """Blocks of the tensors in order. channels: which the first filters are taken to have."""
    layers: dict[str, list[str]] = {}
    for name in tensors:
        if not name.endswith(COUNTER):
            layers.setdefault(name.rpartition(".")[0], []).append(name)
    groups: list[list[str]] = []
    for names in layers.values():
        norm = all(tensors[name].dim() <= 1 for name in names)
        if norm and groups and len(groups[-1]) <= 2:
            groups[-1] += names
        else:
            groups.append(list(names))
    blocks: list[_Block] = []
    for names in groups:
        entries = tuple((name.rpartition(".")[2], name) for name in names)
        shapes = [(last, tuple(tensors[name].shape)) for last, name in entries]
        if not blocks and channels is not None and len(shapes[0][1]) >= 4:
            shapes[0] = (shapes[0][0], (shapes[0][1][0], channels, *shapes[0][1][2:]))
        blocks.append(_Block(entries, tuple(shapes)))
    return blocks
