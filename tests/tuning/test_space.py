from __future__ import annotations

import pytest

from fedmed.config.compose import compose
from fedmed.errors import UserError
from fedmed.tuning.space import Axis, applies, axes_of, typed


def axis(override: str) -> Axis:
    ((found,), fixed) = axes_of([override])
    assert fixed == []
    return found


@pytest.mark.parametrize(
    ("override", "low", "high", "log"),
    [
        ("strategy.fedprox.mu=0.001..1.0:log", "0.001", "1.0", True),
        ("optimizer.lr=1e-4..1e-1:log", "1e-4", "1e-1", True),
        ("epochs=1..5", "1", "5", False),
        ("optimizer.momentum=0..0.9", "0", "0.9", False),
        ("x=-1.5..+2", "-1.5", "+2", False),
        ("x=.5..1.", ".5", "1.", False),
    ],
)
def test_ranges_are_read(override: str, low: str, high: str, log: bool) -> None:
    found = axis(override)
    assert (found.key, found.low, found.high, found.log) == (override.partition("=")[0], low, high, log)


def test_choices_are_read() -> None:
    assert axis("batch_size=10,32").choices == ("10", "32")
    assert axis("optimizer.milestones=[5,8],[3]").choices == ("[5,8]", "[3]")


@pytest.mark.parametrize("override", ["rounds=5", "dataset.root=../shared/data", "a=[1,2]", "b=v1..2", "c=.."])
def test_the_rest_is_no_axis(override: str) -> None:
    assert axes_of([override]) == ([], [override])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("epochs=5..1", "epochs: expected a range from a lower to a higher number, got 5..1. Write epochs=1..5."),
        ("mu=0..1:log", "mu: expected a range above 0"),
        ("mu=0.1..1:lin", "mu: expected a range as low..high or low..high:log, got 0.1..1:lin."),
        ("mu=0.1..", "mu: expected a range as"),
    ],
)
def test_a_range_that_is_none_is_refused(override: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        axes_of([override])
    assert words in str(caught.value)


def test_the_option_says_whether_numbers_are_whole() -> None:
    config = compose(["strategy=fedprox", "strategy.mu=1", "epochs=1"])
    assert typed(axis("epochs=1..5"), config).whole
    assert not typed(axis("strategy.fedprox.mu=1..5"), config).whole


def test_values_are_short_and_in_their_range() -> None:
    found = axis("x=0.1234..0.99999")
    assert found.text(0.543219) == "0.543"
    assert found.text(0.12341) == "0.12341"
    assert found.text(0.99998) == "0.99998"
    assert axis("x=a,b").text("a") == "a"


def test_an_axis_knows_what_the_search_could_come_to() -> None:
    assert axis("x=0.1..1").holds(0.1)
    assert not axis("x=0.1..1").holds(0.01)
    assert not axis("x=0.1..1").holds(None)
    assert axis("x=null,3").holds(None)
    assert axis("x=null,3").holds(3)


def test_options_of_other_methods_do_not_apply() -> None:
    assert applies("strategy.fedprox.mu", ["fedbn", "fedprox"])
    assert not applies("strategy.fedprox.mu", ["fedavg"])
    assert applies("optimizer.lr", ["fedavg"])
    assert applies("strategy.mu", ["fedprox"])
