"""What is searched: options that have a range, `mu=0.001..1.0:log`, or choices, `batch_size=10,32`, for a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fedmed.config.grammar import key_of, split, value_of
from fedmed.config.values import Config
from fedmed.errors import refuse
from fedmed.options.fields import show

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})(:log)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An option that is searched.

    low, high: its range, as they were written, both included; or choices: its values. log: whether the range is even
    in its logarithm. whole: whether only whole numbers are meant.
    """

    key: str
    low: str = ""
    high: str = ""
    log: bool = False
    whole: bool = False
    choices: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, ...]:
        """The values that have to be allowed: both ends of a range, every choice."""
        return self.choices or (self.low, self.high)

    def text(self, value: float | str) -> str:
        """A value as one would write it: three digits say enough, unless they lead out of the range."""
        if isinstance(value, str) or self.whole:
            return str(value)
        short = f"{value:.3g}"
        return short if float(self.low) <= float(short) <= float(self.high) else repr(value)

    def holds(self, value: Any) -> bool:
        """Whether a value is one that the search could come to."""
        if self.choices:
            return show(value) in self.choices
        return isinstance(value, (int, float)) and float(self.low) <= value <= float(self.high)

    def plain(self, value: Any) -> Any:
        """Such a value in the type that the search has for it."""
        return show(value) if self.choices else value

    def applies(self, members: Sequence[str]) -> bool:
        """Whether a run of these methods has the option."""
        return applies(self.key, members)


def applies(key: str, members: Sequence[str]) -> bool:
    """Whether an option is of no method, or of one of these."""
    first, *rest = key.split(".")
    return first != "strategy" or len(rest) < 2 or rest[0] in members


def axes_of(overrides: Sequence[str]) -> tuple[list[Axis], list[str]]:
    """The options that are searched, and the overrides that are not; raises `UserError` for a range that is none."""
    axes, fixed = [], []
    for override in overrides:
        axis = _axis(key_of(override), value_of(override))
        if axis is None:
            fixed.append(override)
        else:
            axes.append(axis)
    return axes, fixed


def typed(axis: Axis, config: Config) -> Axis:
    """The axis with the type of its option, as a config tells it in which the option is at an end of its range."""
    return replace(axis, whole=isinstance(config.get(axis.key), int))


def _axis(key: str, value: str) -> Axis | None:
    if found := RANGE.fullmatch(value):
        low, high, scale = found.groups()
        if float(low) >= float(high):
            raise refuse(key, "a range from a lower to a higher number", value, f"Write {key}={high}..{low}.")
        if scale and float(low) <= 0:
            fix = "Zero has no logarithm: begin above it, or leave :log out."
            raise refuse(key, "a range above 0, as it is searched by its logarithm", value, fix)
        return Axis(key=key, low=low, high=high, log=bool(scale))
    if re.match(r"[+-]?[\d.]+\.\.", value):
        raise refuse(key, "a range as low..high or low..high:log", value, f"Write {key}=0.001..1.0:log, for instance.")
    choices = [part.strip() for part in split(value, ",")]
    return Axis(key=key, choices=tuple(choices)) if len(choices) > 1 else None
