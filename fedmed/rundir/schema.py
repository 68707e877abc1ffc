"""What the files of a run may hold, checked where they are read, so that no reader has to ask what a value is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Literal, get_args

from fedmed.errors import refuse

Fields = Mapping[str, type | UnionType]
"""What an entry is to be, by name."""

FIX = "Restore the file, or start the run anew."
LARGEST = 1e308
TEXTS = frozenset({"directory", "best.by", "stage", "what"})
"""Entries of rows and results that are text; all others are numbers, or null where they are undefined."""

COUNTED = ("rounds", "bytes.up", "bytes.down", "seconds")
PRESENT = ("best.round", "client.worst.id", "seconds.per_round", "directory")
"""Entries of every final.json; the latter may be null."""

RUN: Fields = {"identity": str, "created": str, "rounds": int | None, "status": str, "marks": dict, "better": dict}
LATER = frozenset({"marks", "better"})
"""Entries of run.json that earlier versions did not write, or that few runs have."""

NAMES: Mapping[object, str] = {
    str: "text",
    int: "a whole number",
    dict: "an object",
    list: "a list",
    type(None): "null",
}

Status = Literal["running", "stopped", "finished"]
"""Of a run; one that was killed is still `running`."""


def check_run(content: Mapping[str, Any], where: str) -> None:
    """Raises `UserError` where this is not the content of a run.json."""
    check_fields(content, {name: kind for name, kind in RUN.items() if name in content or name not in LATER}, where)
    if content["status"] not in (known := get_args(Status)):
        raise refuse(f"{where}: status", f"one of {', '.join(known)}", repr(content["status"]), FIX)
    if content["rounds"] is not None and content["rounds"] < 1:
        raise refuse(f"{where}: rounds", "at least 1", content["rounds"], FIX)


def check_row(row: Mapping[str, Any], where: str) -> None:
    """Raises `UserError` where this is not a row of a round; a row of a client also says which."""
    for name in ("round", "client"):
        if not _whole(row.get(name, 0)) or name == "round" not in row:
            raise refuse(f"{where}: {name}", "a whole number from 0", repr(row.get(name)), FIX)
    check_numbers(row, where)


def check_result(content: Mapping[str, Any], where: str) -> None:
    """Raises `UserError` where this is not the content of the final.json of a whole run."""
    check_numbers(content, where)
    for name in (*COUNTED, *PRESENT):
        _check(name in content, f"{where}: {name}", "an entry", "none")
        _check(name in PRESENT or content[name] is not None, f"{where}: {name}", "a number", content[name])


def check_numbers(content: Mapping[str, Any], where: str) -> None:
    """Raises `UserError` where an entry is not what its name says: text for a few, else a number or null."""
    for name, value in content.items():
        if name in TEXTS:
            _check(isinstance(value, str), f"{where}: {name}", "text", value)
        elif value is not None:
            _check(isinstance(value, int | float) and abs(value) <= LARGEST, f"{where}: {name}", "a number", value)


def check_fields(content: Mapping[str, Any], fields: Fields, where: str) -> None:
    """Raises `UserError` where an entry is missing, or of another type."""
    for name, kind in fields.items():
        value = content.get(name, FIX)
        _check(name in content and isinstance(value, kind), f"{where}: {name}", _name(kind), content.get(name))


def checked(make: Callable[[], Any], where: str, what: str) -> Any:
    """What `make` makes of a file's content; raises `UserError` where it is damaged."""
    try:
        return make()
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError, RuntimeError) as error:
        raise refuse(where, what, f"damaged content ({error})", FIX) from error


def _whole(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= LARGEST


def _check(fits: bool, where: str, expected: str, got: object) -> None:
    if not fits:
        raise refuse(where, expected, repr(got)[:60], FIX)


def _name(kind: type | UnionType) -> str:
    parts: tuple[Any, ...] = (kind,) if isinstance(kind, type) else kind.__args__
    return " or ".join(NAMES[each] for each in parts)
