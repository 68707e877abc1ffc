"""The page in a browser: no error, nothing from the network, tables that sort, colours that change, room on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.report import page
from tests.report import chromium
from tests.report.chromium import Page
from tests.report.test_page import compared

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.FOUND is None, reason="the report is tested in a browser: there is no chromium here"),
]

TABLE = 'document.querySelector("table.sortable")'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison of two worlds."""
    folder = tmp_path_factory.mktemp("report")
    return page.write(read([compared(folder / "runs", (0.1, 1.0))]), folder)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_goes_wrong_and_nothing_is_loaded(tab: Page, report: Path, width: int, dark: bool) -> None:
    tab.heard.clear(), tab.asked.clear()
    tab.open(report, width=width, dark=dark)
    shades = tab.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (sum(map(int, shades[0][4:-1].split(","))) < 300) == dark, "the page follows the system's colours"
    assert tab.heard == []
    assert [address for address in tab.asked if not address.startswith("data:")] == [report.as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_the_window(tab: Page, report: Path, width: int) -> None:
    tab.open(report, width=width)
    tab.run('document.querySelectorAll("details").forEach((each) => (each.open = true))')
    assert tab.run("innerWidth") == width
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_figures_are_drawn(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    boxes = tab.run('[...document.querySelectorAll("figure svg[role=img]")].map((each) => each.clientHeight)')
    assert len(boxes) >= 9
    assert min(boxes) > 60
    ink = tab.run('getComputedStyle(document.querySelector("figure svg text")).fontFamily')
    assert ink == tab.run('getComputedStyle(document.querySelector("figure svg")).fontFamily'), "in the page's own type"


def column(tab: Page, number: int) -> list[str]:
    found: list[str] = tab.run(f"[...{TABLE}.tBodies[0].rows].map((row) => row.cells[{number}].textContent.trim())")
    return found


def test_a_table_sorts_by_mouse_and_by_keyboard(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    before = column(tab, 1)
    tab.run(f'{TABLE}.querySelectorAll("thead button")[1].click()')
    assert column(tab, 1) == sorted(before, reverse=True) != before, "numbers start with the largest"
    assert tab.run(f"{TABLE}.tHead.rows[0].cells[1].ariaSort") == "descending"
    tab.run(f'{TABLE}.querySelectorAll("thead button")[1].focus()')
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert column(tab, 1) == sorted(before)
    tab.run(f'{TABLE}.querySelectorAll("thead button")[0].click()')
    assert column(tab, 0) == sorted(column(tab, 0))
    assert tab.run("document.querySelectorAll('[aria-sort]').length") == 1


def test_a_button_switches_between_light_and_dark(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    tab.run("localStorage.clear()")
    tab.open(report, width=1280)
    shades = [tab.run("getComputedStyle(document.body).backgroundColor")]
    tab.run('document.getElementById("theme").click()')
    shades.append(tab.run("getComputedStyle(document.body).backgroundColor"))
    tab.open(report, width=1280)
    assert tab.run("getComputedStyle(document.body).backgroundColor") == shades[1], "and it is remembered"
    assert shades[0] != shades[1]
    tab.run("localStorage.clear()")


def test_what_can_be_pressed_is_large_enough_and_has_a_name(tab: Page, report: Path) -> None:
    tab.open(report, width=390)
    boxes = '[...document.querySelectorAll("button, summary")].filter((each) => each.offsetParent)'
    assert tab.run(f"Math.min(...{boxes}.map((each) => each.getBoundingClientRect().height))") >= 24
    assert tab.run(f"{boxes}.every((each) => each.textContent.trim() || each.ariaLabel)")
    first = 'document.querySelector("a, button, [tabindex]").className'
    assert tab.run(first) == "skip", "the first stop of the keyboard is the link to the results"
