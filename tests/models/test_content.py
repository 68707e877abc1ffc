"""Digests of modules, classes and functions."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from fedmed.models.content import digest


def make(width: int) -> Callable[[int, int], nn.Module]:
    return lambda channels, outputs: nn.Linear(channels * width, outputs)


def test_equal_modules_have_equal_digests() -> None:
    layer = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    assert digest(layer) != digest(other)
    other.load_state_dict(layer.state_dict())
    assert digest(layer) == digest(other)
    other.scale = 2.0  # type: ignore[assignment]
    assert digest(layer) != digest(other)


def test_functions_of_one_text_differ_by_what_they_take_from_around() -> None:
    assert digest(make(1)) == digest(make(1))
    assert digest(make(1)) != digest(make(2))


def test_a_layer_that_is_not_initialised_has_one() -> None:
    assert digest(nn.LazyLinear(3)) == digest(nn.LazyLinear(3))
