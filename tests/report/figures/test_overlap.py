"""Lines on top of each other: where they run together is found, said, and drawn in all their colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fedmed.report.figures import style
from fedmed.report.figures.elements import draw_band
from fedmed.report.figures.overlap import Overlap, overlaps, redraw_overlaps
from fedmed.report.series import Band


def line(*y: float, x: Sequence[float] | None = None) -> np.ndarray:
    return np.stack([np.array(x or range(0, 10 * len(y), 10), float), np.array(y, float)], 1)


def test_stretches_are_found_by_how_near_lines_are_as_drawn() -> None:
    found = overlaps({"a": line(0, 50, 90, 100), "b": line(0.5, 50, 60, 100), "c": line(200, 200, 200, 200)})
    assert found == [Overlap(0, 1, ("a", "b"))]
    assert overlaps({"a": line(0, 10), "b": line(2, 12)}) == []
    assert overlaps({name: line(1, 2, 3) for name in "abc"}) == [Overlap(0, 2, ("a", "b", "c"))]


def test_lines_that_were_evaluated_elsewhere_do_not_run_together() -> None:
    assert overlaps({"a": line(0, 0, 0), "b": line(0, 0, 0, x=[0, 5, 20])}) == []
    assert overlaps({"a": line(0, 0, 0), "b": line(0, 0)}) == [Overlap(0, 1, ("a", "b"))]
    assert overlaps({"a": line(0), "b": line(0)}) == []
    assert overlaps({}) == []


def redrawn(lines: dict[str, list[float]]) -> tuple[str, set[str]]:
    """What is said, and the colours that are seen in pixels."""
    colors = dict(zip(lines, style.ARMS, strict=False))
    with style.figure_style():
        figure, ax = style.new_figure()
        bands = {n: Band(np.arange(len(y), dtype=float), *[np.array(y)] * 3) for n, y in lines.items()}
        for name, each in bands.items():
            draw_band(ax, each, style.ArmStyle(colors[name], "-"))
        ax.set_axis_off()
        note = redraw_overlaps(ax, bands, colors)
        figure.canvas.draw()
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].reshape(-1, 3)
    seen = {"#" + bytes(pixel.tolist()).hex() for pixel in np.unique(pixels, axis=0)}
    return note, {name for name, color in colors.items() if color in seen}


@pytest.mark.parametrize("count", [2, 3, 8])
def test_equal_lines_are_all_seen_and_said_to_coincide(count: int) -> None:
    names = [f"arm{number}" for number in range(count)]
    note, seen = redrawn({name: [0.2, 0.8, 0.7, 0.9] for name in names})
    assert note.endswith("coincide.")
    assert seen == set(names)


def test_lines_that_part_are_seen_where_they_were_together() -> None:
    note, seen = redrawn({"one": [0.2, 0.5, 0.7, 0.9], "other": [0.2, 0.5, 0.7, 0.1]})
    assert note == ""
    assert seen == {"one", "other"}


def test_many_that_coincide_are_not_all_named() -> None:
    note, _ = redrawn({f"arm{number}": [0.1, 0.2] for number in range(8)})
    assert note == "arm0, arm1, arm2, arm3 and 4 more coincide."
