"""Weights of torchvision, MONAI, Hugging Face and others brought into the names of a model: by name, else by order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from fedmed.errors import refuse
from fedmed.models.net import Net
from fedmed.models.start import LISTED, read_tensors

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which names files keep weights beside other things."""

COUNTER = "num_batches_tracked"
FRONT = 4
"""How many words in front of names are tried to be left out, less one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Weights in the names of a net, and how they were found.

    weights: of all entries but the head's, and of the head's where they fit. how: name or order.
    summed: entries whose filters for several channels were added up for images of one. unused: entries of the file.
    """

    weights: dict[str, Tensor]
    how: str
    summed: tuple[str, ...]
    unused: tuple[str, ...]

    def report(self) -> str:
        """What was found, in sentences."""
        head = any(name.startswith("head.") for name in self.weights)
        lines = [f"{len(self.weights)} entries by {self.how}; the head {'too' if head else 'begins anew'}."]
        if self.summed:
            lines.append(f"Added up over channels, for images of one: {', '.join(self.summed)}.")
        if self.unused:
            lines.append(f"Of the file not used: {_few(self.unused)}.")
        return "\n".join(lines)


def read_foreign(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of anybody's, by name; a pickle with anything else in it is refused."""
    return read_tensors(path, where=str(path), wrappers=WRAPPERS)


def convert(given: Mapping[str, Tensor], net: Net) -> Converted:
    """Weights in the names of the net, by equal names after what is common in front, else by order and shape.

    Raises `UserError` with what of the net's body was not found.
    """
    body = {name: value for name, value in net.state_dict().items() if not name.startswith("head.")}
    counters = {name for name in body if name.endswith(COUNTER)}
    by_name = _by_name(given, body)
    by_order = _by_order(given, body) if _wanting(by_name, body, counters) else by_name
    found, how = by_name, "name"
    if len(_wanting(by_order, body, counters)) < len(_wanting(by_name, body, counters)):
        found, how = by_order, "order and shape"
    if missing := _wanting(found, body, counters):
        free = [f"{name} {list(given[name].shape)}" for name in given if name not in found.values()]
        fix = f"Not used of the file: {_few(free)}. Give another --model, its options, --channels or --side."
        wanted = _few([f"{name} {list(body[name].shape)}" for name in missing])
        raise refuse("fedmed models convert", "weights for all of the model's body", f"none for {wanted}", fix)
    found = found | _head(given, net, found)
    own = net.state_dict()
    weights = {name: _fitted(given[found[name]], own[name]) if name in found else own[name] for name in [*body, *found]}
    summed = tuple(name for name, source in found.items() if given[source].shape != own[name].shape)
    unused = tuple(name for name in given if name not in found.values() and not name.endswith(COUNTER))
    return Converted(weights=weights, how=how, summed=summed, unused=unused)


def _wanting(found: Mapping[str, str], body: Mapping[str, Tensor], counters: set[str]) -> list[str]:
    """Entries of the body without a source; counters of batches begin at 0."""
    return [name for name in body if name not in found and name not in counters]


def _fits(given: Tensor, own: Tensor) -> bool:
    """Whether shapes are equal, or are once filters for colours are added up for images of one channel."""
    one = own.dim() == 4 and given.dim() == 4 and own.shape[1] == 1
    return given.shape == own.shape or (one and given.sum(1, keepdim=True).shape == own.shape)


def _fitted(given: Tensor, own: Tensor) -> Tensor:
    value = given if given.shape == own.shape else given.sum(1, keepdim=True)
    return value.to(own.dtype).contiguous()


def _by_name(given: Mapping[str, Tensor], body: Mapping[str, Tensor]) -> dict[str, str]:
    """Own name -> name in the file: equal names and shapes, once as many words in front are left out as match most."""
    tried = [_cut(given, body, ours, theirs) for ours in range(FRONT) for theirs in range(FRONT)]
    return max(tried, key=len)


def _cut(given: Mapping[str, Tensor], body: Mapping[str, Tensor], ours: int, theirs: int) -> dict[str, str]:
    sources = {name.split(".", theirs)[-1]: name for name in given if name.count(".") >= theirs}
    cut = {name: sources.get(name.split(".", ours)[-1]) for name in body}
    return {name: source for name, source in cut.items() if source is not None and _fits(given[source], body[name])}


class _Block(NamedTuple):
    """A layer with weights and the normalisation beside it: entries by last name, layer by layer."""

    entries: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]


def _by_order(given: Mapping[str, Tensor], body: Mapping[str, Tensor]) -> dict[str, str]:
    """Own name -> name in the file: layers of equal shapes in the order in which they stand.

    A normalisation goes with the layer before it, as projections of shortcuts stand first in some libraries and last
    in others.
    """
    free = _blocks(given, one=any(_fits(v, o) and v.shape != o.shape for v in given.values() for o in body.values()))
    found: dict[str, str] = {}
    for block in _blocks(body):
        match = next((other for other in free if other.shapes == block.shapes), None)
        if match is not None:
            free.remove(match)
            found |= {own: source for (_, own), (_, source) in zip(block.entries, match.entries, strict=True)}
    return found


def _blocks(tensors: Mapping[str, Tensor], *, one: bool = False) -> list[_Block]:
    """Blocks of the tensors in order. one: whether the first filters are taken as added up over channels."""
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
        if one and not blocks and len(shapes[0][1]) == 4:
            shapes[0] = (shapes[0][0], (shapes[0][1][0], 1, *shapes[0][1][2:]))
        blocks.append(_Block(entries, tuple(shapes)))
    return blocks


def _head(given: Mapping[str, Tensor], net: Net, found: Mapping[str, str]) -> dict[str, str]:
    """The head's entries from the last free ones of the file, where all of them fit; else nothing."""
    own = {name: value for name, value in net.state_dict().items() if name.startswith("head.")}
    free = [name for name in given if name not in found.values()]
    last = free[-len(own) :] if own else []
    fit = len(last) == len(own) and all(given[s].shape == v.shape for s, v in zip(last, own.values(), strict=True))
    return dict(zip(own, last, strict=True)) if fit else {}


def _few(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
