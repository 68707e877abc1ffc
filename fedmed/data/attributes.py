"""Attributes of images beside their labels (sex, age group, device), by which a model is judged group by group."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.errors import Fault, near, refuse

UNKNOWN = frozenset({"", "nan", "na", "n/a", "<na>", "nat", "-1", "unknown"})
"""Values, in any case, of an image of which the attribute is not known."""

RESERVED = frozenset({"mean", "worst", "gap"})
"""Names under which metrics over all groups of an attribute are kept, so that no value may have them."""

MOST = 30
"""Values beyond which an attribute makes no groups, but has to be grouped itself."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What is known of every image beside its label.

    codes: (N,) number of its value; -1 where it is not known. names: of the values, by number.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]

    def __getitem__(self, rows: NDArray[np.int64]) -> Attribute:
        """The same of the chosen rows."""
        return Attribute(self.codes[rows], self.names)


def attribute(values: NDArray[Any]) -> Attribute:
    """The attribute of a column (N,) of numbers or text; NaN, -1, empty and the like are not known.

    Values are in the order of their numbers, or sorted as text.
    """
    text = ["" if value is None else str(value) for value in values] if values.dtype.kind == "O" else values
    found, place = np.unique(text, return_inverse=True)
    words = [_word(value) for value in found]
    known = [word for word in dict.fromkeys(words) if word.casefold() not in UNKNOWN]
    names = sorted(known, key=float) if all(map(_is_number, known)) else sorted(known)
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number.get(word, -1) for word in words], np.int64)
    return Attribute(codes[place.reshape(-1)], tuple(names))


def grouped(attributes: Mapping[str, Attribute], groups: Sequence[str]) -> dict[str, Attribute]:
    """The attributes with their numbers in groups; those without edges left out.

    groups: `age:40:60` for groups <40, 40-59 and >=60; `age` alone leaves age out. Raises UserError for an attribute
    that is not there, one whose values are no numbers, and one of too many values.
    """
    edges = edges_of(groups)
    if unknown := sorted(edges.keys() - attributes.keys()):
        fix = near(unknown[0], attributes) if attributes else ""
        raise refuse("dataset.groups", "attributes that the dataset has", unknown[0], fix)
    kept = {name: found for name, found in attributes.items() if edges.get(name) != ()}
    made = {name: _grouped(name, found, edges[name]) if name in edges else found for name, found in kept.items()}
    for name, found in made.items():
        _check_values(name, found)
    return made


def edges_of(groups: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Of `age:40:60` the edges of age; raises ValueError where one is no number."""
    split = [text.split(":") for text in groups]
    return {name.strip(): tuple(float(edge) for edge in edges) for name, *edges in split}


def group_faults(groups: Sequence[str], where: str) -> Iterator[Fault]:
    """A fault for every text that does not say how an attribute is grouped."""
    expected = "an attribute and rising edges of its groups, as in [age:40:60:80]"
    names = [text.partition(":")[0].strip() for text in groups]
    for text, name in zip(groups, names, strict=True):
        try:
            edges = edges_of([text])[name]
        except ValueError:
            yield Fault(where, expected, text)
            continue
        rising = all(low < high for low, high in pairwise(edges)) and all(map(isfinite, edges))
        if not name or not rising or names.count(name) > 1:
            yield Fault(where, expected, text, f"Name {name} once." if names.count(name) > 1 else "")


def _grouped(name: str, found: Attribute, edges: Sequence[float]) -> Attribute:
    """Numbers as groups between edges, of which each belongs to the group above it."""
    if odd := [value for value in found.names if not _is_number(value)]:
        fix = f"Leave dataset.groups={name}:... out: text makes groups as it is."
        raise refuse(f"dataset.groups: {name}", "numbers", odd[0], fix)
    numbers = [float(value) for value in found.names]
    whole = all(map(float.is_integer, [*numbers, *edges]))
    place = np.append(np.searchsorted(edges, numbers, side="right"), -1).astype(np.int64)  # the last is of code -1
    return Attribute(place[found.codes], _names(edges, whole=whole))


def _names(edges: Sequence[float], *, whole: bool) -> tuple[str, ...]:
    """`<40`, `40-59`, `>=60`; of numbers with fractions `0.5-<1.5`."""
    middle = [f"{low:g}-{high - 1:g}" if whole else f"{low:g}-<{high:g}" for low, high in pairwise(edges)]
    return f"<{edges[0]:g}", *middle, f">={edges[-1]:g}"


def _check_values(name: str, found: Attribute) -> None:
    if not re.fullmatch(r"[\w-]+", name):
        raise refuse("attributes", "names of letters, digits, _ and -", name, "Rename the attribute.")
    if taken := [value for value in found.names if value in RESERVED]:
        fix = "That name is kept for metrics over all groups; rename the value."
        raise refuse(f"attribute {name}", "names of values", taken[0], fix)
    if len(found.names) > MOST:
        numbers = all(map(_is_number, found.names))
        how = f"dataset.groups=[{name}:40:60] for groups <40, 40-59 and >=60" if numbers else "fewer values"
        fix = f"Set {how}, or dataset.groups=[{name}] to leave it out."
        raise refuse(f"attribute {name}", f"at most {MOST} values", len(found.names), fix)


def _word(value: Any) -> str:
    """A value as one would write it: 40 for 40.0, F for b'F'."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace").strip()
    if isinstance(value, np.floating) and np.isfinite(value) and value == np.floor(value):
        return str(int(value))
    return str(value).strip()


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
