"""Fields of options: their types, bounds and meanings, and what a value must be to fit."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt

REQUIRED = "???"
"""The default of a field that has none (in YAML, the mark of a missing value)."""

HUGE = 2**1023
"""Whole numbers from here on have no float."""

Kind = Any
"""A type annotation: int, float, str, bool, Literal, Annotated, a union with None, or a tuple of any length."""


@dataclass(frozen=True, slots=True)
class Field:
    """One option of a class: what may be set, to what.

    type: the annotation, constraints included. default: `REQUIRED` where there is none.
    inherited: whether the base class declares it, so that every option of the group has it.
    """

    name: str
    type: Kind
    default: Any
    meaning: str
    inherited: bool = False

    @property
    def expected(self) -> str:
        """What a value must be, such as `a number >= 0`."""
        return expected(self.type)

    @property
    def default_text(self) -> str:
        """The default as one would write it on the command line."""
        return show(self.default)


def show(value: object) -> str:
    """A value as one would write it on the command line."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(show, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """The first sentence of a class docstring, and the meaning of each field it lists."""
    lines = inspect.cleandoc(text or "").splitlines()
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in lines[1:]:
        if start := re.match(r"(\w+(?:, \w+)*): (.+)", line):
            names = start[1].split(", ")
            meanings |= dict.fromkeys(names, start[2])
        elif names and line.startswith("   "):
            meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
        else:
            names = []
    return (lines[0] if lines else ""), meanings


def _form(kind: Kind) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(kind), get_args(kind)


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def expected(kind: Kind) -> str:
    """What a value of this type must be, in words."""
    origin, args = _form(kind)
    if origin is Annotated:
        return f"{expected(args[0])} {' and '.join(f'{sign} {bound:g}' for sign, bound, _ in _bounds(args[1:]))}"
    if origin is Literal:
        return " or ".join(map(show, args)) if len(args) < 3 else f"one of {', '.join(map(show, args))}"
    if origin is tuple:
        return f"a list, each {expected(args[0])}"
    if origin in (Union, UnionType):
        return " or ".join(expected(arg) for arg in args)
    return _WORDS.get(kind, str(kind))


def fits(value: object, kind: Kind) -> bool:
    """Whether a value has the type and keeps the bounds."""
    origin, args = _form(kind)
    if origin is Annotated:
        return fits(value, args[0]) and all(holds(value) for _, _, holds in _bounds(args[1:]))
    if origin is Literal:
        return value in args
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(fits(item, args[0]) for item in value)
    if origin in (Union, UnionType):
        return any(fits(value, arg) for arg in args)
    if kind in (int, float):
        if not isinstance(value, (int, kind)) or isinstance(value, bool):
            return False
        return kind is int or isinstance(value, float) or (isinstance(value, int) and abs(value) < HUGE)
    return isinstance(value, kind)


def canonical(value: object, kind: Kind) -> object:
    """A value in the one form that its type has: `1` as `1.0` for a float, a list as a tuple, numpy's as Python's.

    What does not fit the type comes back as it is.
    """
    origin, args = _form(kind)
    if origin is Annotated:
        return canonical(value, args[0])
    if origin is tuple:
        return tuple(canonical(item, args[0]) for item in value) if isinstance(value, (list, tuple, range)) else value
    if origin in (Union, UnionType):
        forms = [(canonical(value, arg), arg) for arg in args]
        return next((form for form, arg in forms if fits(form, arg)), value)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return canonical(value.item(), kind)  # type: ignore[attr-defined]
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < HUGE:
        return float(value)
    return os.fspath(value) if kind is str and isinstance(value, os.PathLike) else value


_TRUTH = {"true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False}


def read_value(value: object, kind: Kind) -> object:
    """A value of a command line or of YAML in the type of its field: `"3"` is 3 for a number, 3 is `"3"` for a text.

    What does not become one of the type comes back as it is. Tuples come back as lists.
    """
    origin, args = _form(kind)
    if origin is Annotated:
        return read_value(value, args[0])
    if origin is Literal:
        return read_value(value, type(args[0]))
    if origin is tuple:
        return [read_value(item, args[0]) for item in value] if isinstance(value, (list, tuple)) else value
    if origin in (Union, UnionType):
        if any(type(value) is arg for arg in args):
            return value
        read = ((read_value(value, arg), arg) for arg in args)
        return next((found for found, arg in read if fits(found, arg)), value)
    return _read_scalar(value, kind) if isinstance(value, int | float | str) else value


def _read_scalar(value: float | str, kind: Kind) -> object:
    if kind is bool:
        return _TRUTH.get(str(value).lower(), value)
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        return str(value) if kind is str else value
    try:
        return kind(value) if kind in (int, float, str) else value
    except (ValueError, OverflowError):
        return value


def _bounds(constraints: tuple[object, ...]) -> Iterator[tuple[str, Any, Any]]:
    for constraint in constraints:
        for part in constraint if isinstance(constraint, Interval) else (constraint,):
            yield _bound(part)


def _bound(constraint: object) -> tuple[str, Any, Any]:
    match constraint:
        case Ge(bound):
            return ">=", bound, lambda value: value >= bound
        case Gt(bound):
            return ">", bound, lambda value: value > bound
        case Le(bound):
            return "<=", bound, lambda value: value <= bound
        case Lt(bound):
            return "<", bound, lambda value: value < bound
    raise TypeError(f"{constraint!r} is no bound; use Ge, Gt, Le, Lt or Interval.")


def is_supported(kind: Kind) -> bool:
    """Whether an annotation is of the forms that options may use; False for any other type or bound."""
    origin, args = _form(kind)
    if origin is Annotated:
        return is_supported(args[0]) and all(isinstance(c, (Ge, Gt, Le, Lt, Interval)) for c in args[1:])
    if origin is Literal:
        return len({type(arg) for arg in args}) == 1
    if origin is tuple:
        return len(args) == 2 and args[1] is Ellipsis and is_supported(args[0])
    if origin in (Union, UnionType):
        return all(is_supported(arg) for arg in args)
    return kind in _WORDS
