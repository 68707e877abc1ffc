"""Attributes: what is not known, how numbers are grouped, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from fedmed.data.attributes import MOST, Attribute, attribute, grouped
from fedmed.data.examples import TEST
from fedmed.data.prepare import prepare
from fedmed.errors import UserError
from tests.data.tables import Given, table
from tests.data.test_world import build

AGES = np.array([39, 40, 59, 60, 12, np.nan, 80, -1])


def named(found: Attribute) -> list[str | None]:
    return [found.names[code] if code >= 0 else None for code in found.codes]


@pytest.mark.parametrize(
    ("values", "names", "known"),
    [
        (np.array(["M", "", "F", "nan", "M"]), ("F", "M"), ["M", None, "F", None, "M"]),
        (np.array([b"F", b"Unknown", b"F"]), ("F",), ["F", None, "F"]),
        (np.array([10.0, 9.0, np.nan, -1.0]), ("9", "10"), ["10", "9", None, None]),
        (np.array([2, -1, 10, 9]), ("2", "9", "10"), ["2", None, "10", "9"]),
        (np.array(["10", "9", "9"]), ("9", "10"), ["10", "9", "9"]),
        (np.array([None, "x", 3], object), ("3", "x"), [None, "x", "3"]),
        (np.array([True, False]), ("False", "True"), ["True", "False"]),
        (np.array(["", ""]), (), [None, None]),
    ],
    ids=["text", "bytes", "floats", "whole numbers", "numbers as text", "objects", "booleans", "nothing known"],
)
def test_values_are_named_in_their_order_and_gaps_are_unknown(values, names, known) -> None:
    found = attribute(values)
    assert (found.names, named(found), found.codes.dtype) == (names, known, np.int64)


def test_numbers_are_grouped_between_edges_each_of_which_opens_a_group() -> None:
    found = grouped({"age": attribute(AGES)}, ["age:40:60:80"])["age"]
    assert found.names == ("<40", "40-59", "60-79", ">=80")
    assert named(found) == ["<40", "40-59", "40-59", "60-79", "<40", None, ">=80", None]


def test_groups_of_numbers_with_fractions_say_where_they_end() -> None:
    found = grouped({"dose": attribute(np.array([0.25, 0.5, 1.5]))}, ["dose:0.5:1.5"])["dose"]
    assert (found.names, found.codes.tolist()) == (("<0.5", "0.5-<1.5", ">=1.5"), [0, 1, 2])


def test_an_attribute_without_edges_is_left_out_and_others_stay_as_they_are() -> None:
    both = {"age": attribute(AGES), "sex": attribute(np.array(["F", "M"] * 4))}
    assert list(grouped(both, ["age"])) == ["sex"]
    assert grouped(both, [])["age"].names == ("12", "39", "40", "59", "60", "80")


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["agee:40"], r"dataset\.groups: expected attributes that the dataset has, got agee\. Did you mean age"),
        (["sex:40"], r"dataset\.groups: sex: expected numbers, got F"),
    ],
)
def test_groups_that_do_not_fit_the_data_are_refused(groups, said) -> None:
    both = {"age": attribute(AGES), "sex": attribute(np.array(["F", "M"] * 4))}
    with pytest.raises(UserError, match=said):
        grouped(both, groups)


def test_too_many_values_and_names_that_are_taken_are_refused() -> None:
    many = {"age": attribute(np.arange(MOST + 1))}
    with pytest.raises(
        UserError, match=rf"attribute age: expected at most {MOST} values, got 31\. Set dataset\.groups"
    ):
        grouped(many, [])
    assert not grouped(many, ["age"])
    assert len(grouped(many, ["age:20"])["age"].names) == 2
    with pytest.raises(UserError, match="attribute arm: expected names of values, got worst"):
        grouped({"arm": attribute(np.array(["best", "worst"]))}, [])


@pytest.mark.parametrize("text", ["age:60:40", "age:old", ":3", "age:nan", "age:40:40"])
def test_a_grouping_that_is_none_is_refused_before_data_is_read(text) -> None:
    with pytest.raises(UserError, match=r"dataset\.groups: expected an attribute and rising edges .* got"):
        Given(groups=(text,))
    with pytest.raises(UserError, match="Name age once"):
        Given(groups=("age:4", "age:5"))


def test_test_images_of_a_world_keep_their_attributes() -> None:
    codes = np.arange(240) % 5 - 1
    made = table(attributes={"sex": Attribute(codes, ("a", "b", "c", "d"))})
    world, split = build(made), prepare(Given(table=made)).split
    assert world.test_attributes["sex"].codes.tolist() == codes[split == TEST].tolist()
