"""Numbers below plots: as many as stand apart, and what they say is where they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fedmed.report.figures import style
from fedmed.report.figures.ticks import set_log_x_ticks, set_x_ticks, texts

MINUS = "\N{MINUS SIGN}"


def drawn(width: float, low: float, high: float, *, log: bool = False) -> tuple[list[float], list[str]]:
    """Places and labels below a plot of that many inches; raises where labels touch as matplotlib draws them."""
    with style.figure_style():
        figure, ax = style.new_figure(width, 1.0)
        ax.set_xlim(low, high)
        if log:
            ax.set_xscale("log")
            set_log_x_ticks(ax)
        else:
            set_x_ticks(ax)
        figure.draw_without_rendering()
        boxes = [tick.get_window_extent() for tick in ax.get_xticklabels() if tick.get_text()]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
        return list(ax.get_xticks()), [tick.get_text() for tick in ax.get_xticklabels()]


@pytest.mark.parametrize("width", [0.4, 0.9, 4.5])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-0.0312, 0.0781), (-1e-7, 2e-7), (-0.5, 12345.6), (1e6, 3e8), (0.9999, 1.0001), (5, 6e11)],
)
def test_labels_never_touch_and_there_is_one(width: float, low: float, high: float) -> None:
    places, labels = drawn(width, low, high)
    assert labels
    aside = 1e-6 * (high - low)
    assert all(low - aside <= place <= high + aside for place in places)


@pytest.mark.parametrize("width", [0.6, 4.5])
@pytest.mark.parametrize(("low", "high"), [(0.01, 5), (3, 8), (1e-5, 1e7)])
def test_labels_of_magnitudes_never_touch(width: float, low: float, high: float) -> None:
    places, _ = drawn(width, low, high, log=True)
    assert all(low <= place <= high for place in places)


@pytest.mark.parametrize(
    ("places", "labels"),
    [
        ([-0.025, 0, 0.025, 0.05], [f"{MINUS}0.025", "0.000", "0.025", "0.050"]),
        ([1.6, 3.2, 4.8], ["1.6", "3.2", "4.8"]),
        ([1, 2, 3], ["1", "2", "3"]),
        ([1000, 2000], ["1,000", "2,000"]),
        ([1, 3, 10], ["1", "3", "10"]),
        ([3e-5, 6e-5], ["0.00003", "0.00006"]),
        ([3e-9, 6e-9], [f"3e{MINUS}09", f"6e{MINUS}09"]),
        ([0.3], ["0.3"]),
        ([], []),
    ],
)
def test_a_label_says_what_its_place_is(places: list[float], labels: list[str]) -> None:
    assert texts(places) == labels


def test_no_label_is_rounded_away_from_its_place() -> None:
    for low, high in np.random.default_rng(0).uniform(-1, 1, (50, 2)).tolist():
        places, labels = drawn(4.5, min(low, high), max(low, high))
        shown = [float(label.replace(MINUS, "-").replace(",", "")) for label in labels]
        assert shown == pytest.approx(places, abs=1e-9)
