from __future__ import annotations

import pytest

from fedmed.report.figures.elements import cut, spread


@pytest.mark.parametrize(
    ("wanted", "placed"),
    [
        ([0, 50, 100], [0, 50, 100]),
        ([10, 11, 50], [10, 20, 50]),
        ([95, 99, 100], [80, 90, 100]),
        ([], []),
    ],
)
def test_names_keep_apart_and_inside(wanted: list[float], placed: list[float]) -> None:
    assert spread(wanted, 10, 100) == placed


def test_a_long_name_is_cut() -> None:
    assert cut("a" * 30, 10) == "a" * 9 + "…"
    assert cut("short", 10) == "short"
