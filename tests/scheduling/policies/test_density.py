"""The order in which policy=density grants."""

from __future__ import annotations

from fedmed.scheduling.policies.density import Density
from tests.scheduling.policies.waiting import granted


def test_the_order() -> None:
    assert granted(Density()) == ["y1", "x2", "y2"]
