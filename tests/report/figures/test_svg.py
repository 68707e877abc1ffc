from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from fedmed.report.figures import style
from fedmed.report.figures.svg import RenderedFigure, relative_path, render_figure


def drawn(folder: Path | None, dots: int = 3) -> RenderedFigure:
    with style.figure_style():
        figure, ax = style.new_figure()
        ax.plot(np.arange(dots), np.arange(dots), color=style.ARMS[0])
        ax.scatter(np.arange(dots), np.sin(np.arange(dots)), color=np.linspace(0, 1, dots).astype(str))
        ax.set_title('a "title" & more')
        return render_figure(figure, folder, name="one", title="One", note="", alt='says "this" & that')


def test_a_figure_is_an_element_of_the_page_with_colours_of_the_page() -> None:
    root = ElementTree.fromstring(drawn(None).markup)
    assert root.attrib["aria-label"] == 'says "this" & that'
    markup = drawn(None).markup
    assert "stroke: var(--arm0)" in markup
    assert 'a "title" &amp; more' in markup, "text stays text"
    assert "font-family" not in markup.replace("font-family: var", "")


def test_names_inside_figures_do_not_clash() -> None:
    named = [set(re.findall(r' id="([^"]+)"', drawn(None, dots).markup)) for dots in (3, 4)]
    assert [name for names in named for name in names if re.search(r"_\d+$", name)] == []


def test_files_are_written_with_plain_colours(tmp_path: Path) -> None:
    drawn(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg"]
    assert "var(" not in (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_of_many_marks_is_a_png_on_the_page() -> None:
    assert drawn(None, 5000).markup.startswith('<img src="data:image/png;base64,')


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    drawn(tmp_path / "a"), drawn(tmp_path / "b")
    assert (tmp_path / "a/one.svg").read_bytes() == (tmp_path / "b/one.svg").read_bytes()


def places(path: str) -> list[tuple[float, float]]:
    """The points of a path of absolute places and steps."""
    found: list[tuple[float, float]] = []
    for command, x, y in re.findall(r"([Ml])(-?[\d.]+)[ ]?(-?[\d.]+)", path):
        at = found[-1] if command == "l" else (0.0, 0.0)
        found.append((at[0] + float(x), at[1] + float(y)))
    return found


def test_steps_of_a_path_end_where_its_points_are() -> None:
    """However many they are: steps are between rounded places, so that no error adds up."""
    points = np.random.default_rng(0).uniform(-50, 300, (500, 2))
    path = " ".join(f"{'L' if number else 'M'} {x} {y}" for number, (x, y) in enumerate(points.tolist()))
    short = relative_path(path)
    assert np.abs(np.array(places(short)) - points).max() <= 0.0501
    assert len(short) < 0.4 * len(path)
    assert relative_path(f"{path} z").endswith("z")


def test_curves_of_a_path_stay_as_they_are() -> None:
    assert relative_path("M 1.2345 2 C 3 4.5678 5 6 7 8") == "M 1.23 2 C 3 4.56 5 6 7 8"
