"""Classes, findings and shares in words: what is true of an image, what was annotated, what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fedmed import formatting


class Caption(NamedTuple):
    """The caption of an image, and whether the prediction is right; None where there is none to judge."""

    text: str
    right: bool | None = None


def percent(share: float) -> str:
    """A share of 1 as `63 %`, with a space at which no line is broken."""
    return formatting.percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def class_name(names: Sequence[str], label: int) -> str:
    """The name of a class; `class 3` where it has only a number."""
    name = names[label] if names else str(label)
    return f"class {name}" if name.isdecimal() else name


def label_captions(y: Any, names: Sequence[str], seen: Any = None) -> tuple[Caption, ...]:
    """A class by name, or findings by name and how many were not looked for."""
    if np.ndim(y) == 0:
        return (Caption(class_name(names, int(y))),)
    known = np.ones(len(y), bool) if seen is None else np.asarray(seen)
    found = [class_name(names, int(label)) for label in np.flatnonzero((y > 0) & known)]
    rest = int((~known).sum())
    return tuple(map(Caption, [*(found or ["none"]), *([f"{rest} of {len(y)} not annotated"] if rest else [])]))


def class_captions(p: Any, y: Any, names: Sequence[str]) -> tuple[Caption, ...]:
    """The most probable class and its probability, right or wrong."""
    top = int(p.argmax())
    return (Caption(f"{class_name(names, top)}, {percent(float(p[top]))}", top == int(y)),)


def mistaken_class_captions(p: Any, y: Any, names: Sequence[str]) -> tuple[Caption, ...]:
    """The most probable class, which is wrong, and the true one."""
    return (*class_captions(p, y, names), Caption(f"truth: {class_name(names, int(y))}"))


def finding_captions(p: Any, y: Any, names: Sequence[str]) -> tuple[Caption, ...]:
    """Findings that were predicted, right or wrong, and those that were missed."""
    predicted = [
        Caption(f"{class_name(names, int(f))}, {percent(float(p[f]))}", bool(y[f] > 0)) for f in np.flatnonzero(p > 0.5)
    ]
    missed = [Caption(f"missed: {class_name(names, int(f))}", False) for f in np.flatnonzero((p <= 0.5) & (y > 0))]
    return tuple([*predicted, *missed] or [Caption("none", True)])


def mistaken_finding_captions(p: Any, y: Any, names: Sequence[str]) -> tuple[Caption, ...]:
    """The finding whose probability is furthest from the truth, and whether it is there."""
    worst = int(np.abs(p - y).argmax())
    there = "present" if y[worst] > 0 else "absent"
    return Caption(f"{class_name(names, worst)}, {percent(float(p[worst]))}", False), Caption(f"truth: {there}")
