from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval, Len

from fedmed.options.fields import canonical, expected, fits, is_supported, read_docstring, read_value, show
from fedmed.options.groups import PARTS, SETTINGS

Fraction = Annotated[float, Interval(ge=0, lt=1)]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (int, [0, -3], [1.5, True, "1", None]),
        (float, [0, 0.5], [True, "1", None]),
        (bool, [True], [1, "true"]),
        (str, [""], [1, None]),
        (Annotated[int, Ge(1)] | None, [None, 1], [0, 1.0]),
        (Annotated[float, Gt(0)], [1e-9], [0, -1, float("nan")]),
        (Fraction, [0, 0.99], [1, -0.1]),
        (Literal["a", "b"], ["a"], ["c", None]),
        (tuple[Literal["a", "b"], ...], [[], ["a", "b"], ("b",)], ["a", ["c"], [1]]),
    ],
)
def test_values_fit_their_type_and_bounds(kind: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not fits(value, kind)] == []
    assert [value for value in bad if fits(value, kind)] == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[int, Ge(4)] | None, "a whole number >= 4 or null"),
        (Fraction, "a number >= 0 and < 1"),
        (Literal["sgd", "adam", "adamw"], "one of sgd, adam, adamw"),
        (Literal["a", "b"], "a or b"),
        (tuple[str, ...], "a list, each text"),
    ],
)
def test_expectations_read_as_words(kind: Any, words: str) -> None:
    assert expected(kind) == words


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (int, "3", 3),
        (int, 1.5, 1.5),
        (int, True, True),
        (Annotated[float, Gt(0)], 1, 1.0),
        (float, "1e-3", 0.001),
        (float, "fast", "fast"),
        (float, 10**400, 10**400),
        (bool, "yes", True),
        (bool, "off", False),
        (bool, "2", "2"),
        (str, 3, "3"),
        (str, None, None),
        (str, [1], [1]),
        (Literal["1", "2"], 1, "1"),
        (int | None, None, None),
        (Annotated[int, Ge(1)] | None, "2", 2),
        (str | int | None, 3, 3),
        (str | int | None, "3", "3"),
        (tuple[Fraction, ...], ["0.5", 0], [0.5, 0.0]),
        (tuple[str, ...], "a", "a"),
    ],
)
def test_values_of_a_command_line_or_of_yaml_are_read_in_the_type_of_their_field(
    kind: Any, value: object, read: object
) -> None:
    found = read_value(value, kind)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        (float, 1, 1.0),
        (float, np.float32(0.5), 0.5),
        (int, np.int64(3), 3),
        (bool, np.bool_(True), True),
        (tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (tuple[int, ...], range(2), (0, 1)),
        (str | None, Path("a"), "a"),
        (int, "3", "3"),
        (float, True, True),
    ],
)
def test_values_of_python_come_in_one_form(kind: Any, value: object, form: object) -> None:
    found = canonical(value, kind)
    assert found == form
    assert type(found) is type(form)


@pytest.mark.parametrize("kind", [dict[str, int], Annotated[str, Len(3)], tuple[int, int], Literal["a", 1], list[int]])
def test_other_types_are_not_supported(kind: Any) -> None:
    assert not is_supported(kind)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (1, "1"), (0.5, "0.5"), (("test", "client"), "[test,client]")],
)
def test_values_are_shown_as_one_writes_them(value: object, text: str) -> None:
    assert show(value) == text


def test_docstrings_give_a_summary_and_the_meaning_of_each_field() -> None:
    text = """One sentence: with a colon.

    More words.

    alpha: how much (>= 0;
       0 is nothing).
    beta, gamma: both.

    unrelated
    """
    meanings = {"alpha": "how much (>= 0; 0 is nothing).", "beta": "both.", "gamma": "both."}
    assert read_docstring(text) == ("One sentence: with a colon.", meanings)


def test_every_setting_has_a_meaning_and_a_default_that_fits() -> None:
    for field in (*SETTINGS.values(), *(field for part in PARTS.values() for field in part.values())):
        assert field.meaning, field.name
        assert fits(field.default, field.type), field.name
