"""The order in which policy=roundrobin grants."""

from __future__ import annotations

from fedmed.scheduling.policies.roundrobin import RoundRobin
from tests.scheduling.policies.waiting import granted


def test_the_order() -> None:
    assert granted(RoundRobin()) == ["x1", "y1", "y2"]
