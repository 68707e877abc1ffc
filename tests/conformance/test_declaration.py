"""What a strategy's file must declare."""

import dataclasses
import inspect
import pickle
import re
from typing import get_type_hints

import pytest

from fedmed.method import Method, chain
from tests.conformance.cases import NEUTRAL, Case, discover
from tests.toys import TOYS


def test_frozen(kind: type[Method]) -> None:
    method = kind()
    for field in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, field.name, None)
    assert "__dict__" not in vars(method)
    assert all(field.kw_only for field in dataclasses.fields(method))


def test_picklable_and_comparable(kind: type[Method]) -> None:
    assert pickle.loads(pickle.dumps(kind())) == kind()


def test_named_by_its_file(kind: type[Method]) -> None:
    assert str(chain(kind())) == kind.__module__.rpartition(".")[2]


def test_cites_its_paper(kind: type[Method]) -> None:
    text = inspect.getmodule(kind).__doc__ or ""
    assert re.search(r"\b(19|20)\d\d\b", text), "the module docstring names the year of the paper"
    assert re.search(r"arXiv \d{4}\.\d{4,5}|doi\.org/\S+|10\.\d{4,}/\S+", text), "and its arXiv number or DOI"


def test_every_field_says_what_it_means_and_where_it_ends(kind: type[Method]) -> None:
    hints = get_type_hints(kind, include_extras=True)
    lines = _field_lines(kind)
    own = [f.name for f in dataclasses.fields(kind) if f.name in vars(kind).get("__annotations__", {})]
    assert [name for name in own if name not in lines] == []
    assert [name for name in lines if name not in hints] == []
    for name in own:
        inside = re.search(r"\((.+)\)", lines[name])
        assert inside, f"{name}: its range and neutral value stand in brackets"
        for bound in _bounds(hints[name]):
            assert f"{bound:g}" in inside[1], f"{name}: the bound {bound:g} is not named in ({inside[1]})"


def test_a_neutral_setting_that_the_docstring_promises_is_declared(kind: type[Method]) -> None:
    name = kind.__module__.rpartition(".")[2]
    promised = [field for field, line in _field_lines(kind).items() if "is FedAvg" in line]
    assert set(promised) <= set(NEUTRAL.get(name, ())), "add it to NEUTRAL in tests/conformance/cases.py"


def test_neutral_settings_are_of_strategies_that_exist() -> None:
    assert set(NEUTRAL) <= set(discover())


def test_some_toy_is_accepted(kind: type[Method]) -> None:
    name = kind.__module__.rpartition(".")[2]
    assert [task for task in TOYS if not Case(name=name, kind=kind, task=task).refusals()]


def _field_lines(kind: type[Method]) -> dict[str, str]:
    """Field -> its part of the class docstring, continuation lines joined."""
    text = re.sub(r"\n\s{3,}", " ", inspect.cleandoc(kind.__doc__ or ""))
    return dict(re.findall(r"^([a-z_]+): (.+)$", text, re.MULTILINE))


def _bounds(hint: object) -> list[float]:
    found = []
    for constraint in getattr(hint, "__metadata__", ()):
        found += [getattr(constraint, side, None) for side in ("ge", "gt", "le", "lt")]
    return [float(bound) for bound in found if bound is not None]
