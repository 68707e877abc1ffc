"""The base of every class of options: values are checked when an object is made, wherever it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_type_hints

from fedmed.errors import Fault, UserError
from fedmed.options.fields import Kind, canonical, expected, fits, is_supported, show

IN_MEMORY: Mapping[str, bool] = MappingProxyType({"in_memory": True})
"""The metadata of a field that holds what no text can spell: another field's digest stands for it."""


_KEPT = "_checked_fields"


class Options:
    """A frozen dataclass whose fields have the types and keep the bounds of their annotations.

    Values are brought to one form first: whole numbers to float where the field is one, lists to tuples, numpy's
    numbers to Python's, paths to text. Fields of types that no text can give, such as tensors, are left alone.
    Raises `UserError` with every fault when an object is made, also by `dataclasses.replace`.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Has a `__post_init__` of the class's own follow the check."""
        super().__init_subclass__(**keywords)
        own: Callable[[Any], None] | None = vars(cls).get("__post_init__")
        if own is not None:

            def check_first(self: Any) -> None:
                super(cls, self).__post_init__()  # type: ignore[misc]
                own(self)

            cls.__post_init__ = check_first  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        """Brings the values to their form and checks them."""
        faults = list(_faults(self))
        wrong = frozenset(fault.where.rpartition(".")[2] for fault in faults)
        faults += self._conflicts(wrong)
        if faults:
            raise UserError(*faults)

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        """Faults of values that do not go together. wrong: names of fields whose values are wrong alone."""
        return ()


def _faults(made: Options) -> Iterator[Fault]:
    for name, kind in checked_fields(type(made)).items():
        value = canonical(vars(made)[name], kind)
        object.__setattr__(made, name, value)
        if not fits(value, kind):
            yield Fault(f"{type(made).__name__}.{name}", expected(kind), show(value), "")


def checked_fields(cls: type[Any]) -> Mapping[str, Kind]:
    """The types of the fields of a dataclass that text can give, by name."""
    # kept with the class, not beside it: a class of a notebook goes to other processes with all that it holds, and
    # there is nothing there to look the names in its annotations up in
    if _KEPT not in vars(cls):
        setattr(cls, _KEPT, _supported(cls))
    found: Mapping[str, Kind] = vars(cls)[_KEPT]
    return found


def _supported(cls: type[Any]) -> dict[str, Kind]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):  # names that only a type checker sees
        return {}
    found = {field.name: hints[field.name] for field in fields(cls)}
    spelled = {field.name for field in fields(cls) if not field.metadata.get("in_memory")}
    return {name: kind for name, kind in found.items() if name in spelled and is_supported(kind)}
