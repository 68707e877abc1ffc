"""Weights of torchvision, MONAI, timm and others brought into the names of a net: by name, else by order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from torch import Tensor

from fedmed.errors import Fault, UserError, near
from fedmed.models.by_order import COUNTER, by_order
from fedmed.models.net import Net

LISTED = 6
"""How many entries of a file of weights a sentence names."""

FRONT = 4
"""How many words in front of names are tried to be left out, less one."""

SAME = "Give weights of the same model with the same options."


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Weights in the names of a net, and how they were found.

    weights: of the entries that the file has, and counters of batches. how: name or order. head: whether it is among
    them. adapted: entries whose filters were for another number of channels. left: entries that begin as seeded, beside
    the head. unused: entries of the file.
    """

    weights: dict[str, Tensor]
    how: str
    head: bool
    adapted: tuple[str, ...]
    left: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether net and file are each other's, as they stand."""
        return self.head and not (self.adapted or self.left or self.unused)

    def report(self) -> str:
        """What was found, in sentences."""
        lines = [f"{len(self.weights)} entries by {self.how}; the head {'too' if self.head else 'begins anew'}."]
        if self.adapted:
            lines.append(f"Filters brought to the channels of the images: {_few(self.adapted)}.")
        if self.left:
            lines.append(f"Not in the file, begun anew: {_few(self.left)}.")
        if self.unused:
            lines.append(f"Of the file not used: {_few(self.unused)}.")
        return "\n".join(lines)


def convert(given: Mapping[str, Tensor], net: Net, where: str = "model.weights") -> Converted:
    """Weights in the names of the net, by equal names after what is common in front, else by order and shape.

    Whole parts of the body that the file lacks begin as seeded, as a decoder does where the file has an encoder.
    Raises `UserError`, which names `where`, with what of the net was not found or has another shape.
    """
    own = net.state_dict()
    body = {name: value for name, value in own.items() if not name.startswith("head.")}
    fits = _fitting(given, body)
    front, named = _by_name(given, body, fits)
    found = {name: source for name, source in named.items() if fits(name, source)}
    how, left = "name", _wanting(found, body)
    if left and not _wanting(ordered := by_order(given, body), body):
        front, found, how, left = "", ordered, "order and shape", []
    faults = [*_body_faults(given, body, named, found, left, where), *_half_head(given, own, where)]
    if faults:
        raise UserError(*_first(faults, where))
    head = _head(given, own, found, front)
    found |= head
    weights = {name: _fitted(given[source], own[name]) for name, source in found.items()}
    used = {given[source].data_ptr() for source in found.values()}
    return Converted(
        weights={name: weights[name] for name in own if name in weights},
        how=how,
        head=bool(head) or len(body) == len(own),
        adapted=tuple(name for name, source in found.items() if given[source].shape != own[name].shape),
        left=tuple(left),
        unused=tuple(n for n, value in given.items() if value.data_ptr() not in used and not n.endswith(COUNTER)),
    )


def _wanting(found: Mapping[str, str], body: Mapping[str, Tensor]) -> list[str]:
    """Entries of the body without a source; counters of batches begin at 0."""
    return [name for name in body if name not in found and not name.endswith(COUNTER)]


def _fitting(given: Mapping[str, Tensor], body: Mapping[str, Tensor]) -> Callable[[str, str], bool]:
    """Whether an own entry and one of the file are of one shape, but for the channels of images in first filters."""
    channels = [next((v.shape[1] for v in tensors.values() if v.dim() >= 4), None) for tensors in (body, given)]

    def fits(name: str, source: str) -> bool:
        ours, theirs = body[name].shape, given[source].shape
        first = len(ours) >= 4 and len(ours) == len(theirs) and [ours[1], theirs[1]] == channels
        return ours == theirs or (first and (ours[0], ours[2:]) == (theirs[0], theirs[2:]))

    return fits


def _fitted(given: Tensor, own: Tensor) -> Tensor:
    """The tensor in the net's type; filters for other channels are added up for one, or repeated at equal sums."""
    if given.shape != own.shape:
        theirs, ours = given.shape[1], own.shape[1]
        repeated = given.repeat(1, -(-ours // theirs), *[1] * (given.dim() - 2))[:, :ours] * (theirs / ours)
        given = given.sum(1, keepdim=True) if ours == 1 else repeated
    return given.to(own.dtype).contiguous()


def _by_name(
    given: Mapping[str, Tensor], body: Mapping[str, Tensor], fits: Callable[[str, str], bool]
) -> tuple[str, dict[str, str]]:
    """What the file has in front of names, and own name -> name in the file, where names are equal behind it.

    Of all that can be left out in front of both it is what lets most shapes fit, and then most names.
    """
    fronts = {".".join(name.split(".")[:words]) + "." * bool(words) for name in given for words in range(FRONT)}
    ordered = sorted(fronts, key=lambda front: (len(front), front))
    tried = ((front, _cut(given, body, ours, front)) for ours in range(FRONT) for front in ordered)
    return max(tried, key=lambda found: (sum(fits(*pair) for pair in found[1].items()), len(found[1])))


def _cut(given: Mapping[str, Tensor], body: Mapping[str, Tensor], ours: int, front: str) -> dict[str, str]:
    cut = {name: front + name.split(".", ours)[-1] for name in body}
    alone = len(set(cut.values())) == len(cut)
    return {name: source for name, source in cut.items() if alone and source in given}


def _body_faults(
    given: Mapping[str, Tensor],
    body: Mapping[str, Tensor],
    named: Mapping[str, str],
    found: Mapping[str, str],
    left: Sequence[str],
    where: str,
) -> Iterator[Fault]:
    """What is missing of parts that the file has, or has another shape; all of it where little fits."""
    free = [name for name in given if name not in found.values() and not name.endswith(COUNTER)]
    parts = {name: _part(name, body) for name in body}
    known = {parts[name] for name in named} if len(found) > len(free) else set(parts.values())
    for name in left:
        if name in named:
            shape = str(list(given[named[name]].shape))
            yield Fault(where, f"{name} of shape {list(body[name].shape)}", shape, SAME)
        elif parts[name] in known:
            yield Fault(where, f"an entry {name} {list(body[name].shape)}", "none", _near(name, free))


def _part(name: str, body: Iterable[str]) -> str:
    """The part of the net that an entry belongs to: its first word after those that all have in common."""
    columns = zip(*(each.split(".") for each in body), strict=False)
    common = sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, columns))
    return name.split(".")[min(common, name.count("."))]


def _half_head(given: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str) -> Iterator[Fault]:
    """What a head lacks of which the file has the rest."""
    names = [name for name in own if name.startswith("head.")]
    there = [name for name in names if name in given]
    if there and all(given[name].shape == own[name].shape for name in there):
        for name in names:
            if name not in there:
                yield Fault(where, f"an entry {name} {list(own[name].shape)}", "none", _near(name, given))


def _head(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], found: Mapping[str, str], front: str
) -> dict[str, str]:
    """The head's entries by name, or the last free ones beside the body's, where all of them fit; else nothing."""
    names, used = [name for name in own if name.startswith("head.")], set(found.values())
    free = [name for name in given if name not in used and name.startswith(front)]
    last = names if all(name in given for name in names) else free[-len(names) :] if names else []
    fit = len(last) == len(names) and all(given[s].shape == own[n].shape for s, n in zip(last, names, strict=True))
    return dict(zip(names, last, strict=True)) if fit else {}


def _first(faults: Sequence[Fault], where: str) -> list[Fault]:
    more = len(faults) - LISTED
    rest = [Fault(where, "weights of this network", f"{more} more entries that do not fit")] if more > 0 else []
    return [*faults[:LISTED], *rest]


def _near(name: str, names: Iterable[str]) -> str:
    """The near misses, or what the file has, but never the whole list of a network's entries."""
    sentence, begin = near(name, names), ", ".join(list(names)[:3])
    return sentence if sentence.startswith("Did you mean") else f"Unused of the file: {begin or 'nothing'}. {SAME}"


def _few(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
