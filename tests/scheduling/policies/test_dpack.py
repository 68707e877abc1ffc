"""The order in which policy=dpack grants."""

from __future__ import annotations

from fedmed.scheduling.policies.dpack import DPack
from tests.scheduling.policies.waiting import granted


def test_the_order() -> None:
    assert granted(DPack()) == ["y2", "x2", "y1"]
