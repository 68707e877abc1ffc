from __future__ import annotations

import pytest

from fedmed.config import grammar
from fedmed.errors import Fault
from fedmed.options.catalogue import Catalogue, discover


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return discover()


@pytest.mark.parametrize(
    ("text", "mark", "parts"),
    [
        ("a,[b,c],d", ",", ["a", "[b,c]", "d"]),
        ("'a,b',c", ",", ["'a,b'", "c"]),
        ("a+b", "+", ["a", "b"]),
        ("", ",", [""]),
    ],
)
def test_splitting_respects_brackets_and_quotes(text: str, mark: str, parts: list[str]) -> None:
    assert grammar.split(text, mark) == parts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("strategy=fedprox", "strategy=[fedprox]"),
        ("strategy=fedprox+fedbn", "strategy=[fedprox,fedbn]"),
        ("strategy=[fedprox,fedbn]", "strategy=[fedprox,fedbn]"),
        ("strategy='fedprox+fedbn'", "strategy=[fedprox,fedbn]"),
        ("strategy=fedavg,fedprox+fedbn", "strategy=[fedavg],[fedprox,fedbn]"),
        ("strategy=[fedavg],[fedprox,fedbn]", "strategy=[fedavg],[fedprox,fedbn]"),
        ("dataset=a+b", "dataset=a+b"),
    ],
)
def test_methods_joined_by_a_plus_become_a_list(written: str, read: str) -> None:
    assert grammar.join_members([written]) == [read]


def test_an_option_goes_to_the_one_method(catalogue: Catalogue) -> None:
    faults: list[Fault] = []
    named = grammar.name_members(["strategy.mu=1", "seed=2"], [("fedprox",)], catalogue, faults, sweep=False)
    assert (named, faults) == (["strategy.fedprox.mu=1", "seed=2"], [])


@pytest.mark.parametrize(("members", "sweep"), [([("fedprox", "moon")], False), ([("fedprox",), ("moon",)], True)])
def test_an_option_of_several_methods_is_refused(
    members: list[tuple[str, ...]], sweep: bool, catalogue: Catalogue
) -> None:
    faults: list[Fault] = []
    assert grammar.name_members(["strategy.mu=1"], members, catalogue, faults, sweep=sweep) == []
    assert "strategy.fedprox.mu= or strategy.moon.mu=" in str(faults[0])


def test_jobs_without_a_method_ignore_its_options(catalogue: Catalogue) -> None:
    members = [("fedavg",), ("fedprox", "fedbn")]
    named = grammar.name_members(["strategy.fedprox.mu=1"], members, catalogue, [], sweep=True)
    assert named == ["++strategy.fedprox.mu=1"]


def test_a_preset_counts_as_its_method() -> None:
    faults = grammar.refuse_repeats([("fedprox", "fedbn"), ("fedprox", "released")], {"released": "fedprox"})
    assert [fault.got for fault in faults] == ["fedprox+released"]
    assert "released counts as fedprox" in faults[0].fix
