"""The page in a browser: no error, nothing from the network, tables that sort, colours that change, room on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.report import page
from fedmed.report.index import write_index
from tests.fabricated import run
from tests.report import chromium
from tests.report.chromium import Page
from tests.report.test_page import classified

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.FOUND is None, reason="the report is tested in a browser: there is no chromium here"),
]

NAMES = [f"class with rather a long name {number}" for number in range(20)]

TABLE = 'document.querySelector("table.sortable")'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison of two worlds."""
    folder = tmp_path_factory.mktemp("report")
    return page.write(read([classified(folder / "runs", classes=20, names=NAMES, alphas=(0.1, 1.0))]), folder)


@pytest.fixture(scope="module")
def index(report: Path) -> Path:
    """What leads to it, and to a run whose name is long."""
    run(report.parent / ("long_name_" * 12), curve=[0.5, 0.6])
    return write_index(report.parent, report.parent)[0]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_goes_wrong_and_nothing_is_loaded(tab: Page, report: Path, width: int, dark: bool) -> None:
    tab.console.clear(), tab.requested.clear()
    tab.open(report, width=width, dark=dark)
    shades = tab.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (sum(map(int, shades[0][4:-1].split(","))) < 300) == dark, "the page follows the system's colours"
    assert tab.console == []
    assert [address for address in tab.requested if not address.startswith("data:")] == [report.as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_no_wider_than_the_window(tab: Page, report: Path, width: int) -> None:
    tab.open(report, width=width)
    tab.run('document.querySelectorAll("details").forEach((each) => (each.open = true))')
    assert tab.run("innerWidth") == width
    assert tab.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
def test_so_is_the_index_and_nothing_goes_wrong_there(tab: Page, index: Path, width: int) -> None:
    tab.console.clear(), tab.requested.clear()
    tab.open(index, width=width)
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.console == []
    assert [address for address in tab.requested if not address.startswith("data:")] == [index.as_uri()]


def test_figures_are_drawn(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    shown = '[...document.querySelectorAll("figure svg[role=img]")].filter((each) => each.getClientRects().length)'
    boxes = tab.run(f"{shown}.map((each) => each.clientHeight)")
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


SHOWN = (
    "[...document.querySelectorAll('figcaption')].filter((each) => each.offsetParent).map((each) => each.textContent)"
)
AXIS = """[...document.querySelectorAll("figure svg text")].filter((each) => each.getClientRects().length
    && each.textContent.startsWith("test ")).map((each) => each.textContent)"""


@pytest.mark.parametrize("scripts", [True, False])
def test_a_metric_is_chosen_by_keyboard_with_and_without_scripts(tab: Page, report: Path, scripts: bool) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
    try:
        tab.open(report, width=1280)
        before = tab.run(AXIS)
        assert {*before} == {"test AUC", "test AUC, minus that of fedavg"}
        tab.run('document.getElementById("metric").focus()')
        press(tab, "ArrowDown", 40)
        assert tab.run('document.getElementById("metric").selectedOptions[0].textContent') == "test F1"
        assert {*tab.run(AXIS)} == {"test F1", "test F1, minus that of fedavg"}
        assert len(tab.run(AXIS)) == len(before)
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def press(tab: Page, key: str, code: int) -> None:
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


def test_one_arm_and_one_metric_per_class_are_shown_at_a_time(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    tab.run('document.querySelectorAll("details").forEach((each) => (each.open = true))')
    assert tab.run("[...document.querySelectorAll('.matrix')].filter((each) => each.offsetParent).length") == 2
    assert tab.run(f"{SHOWN}.filter((each) => each.endsWith('by class'))") == ["AUC by class"] * 2
    tab.run('(() => { const s = document.getElementById("world1-class"); s.value = 2; })()')
    assert tab.run(f"{SHOWN}.filter((each) => each.endsWith('by class'))") == ["sensitivity by class", "AUC by class"]


TIP = "document.getElementById('tip').hidden ? null : document.getElementById('tip').textContent"
STRIP = """(() => { const svg = [...document.querySelectorAll("figure svg:has(> .tips)")][0];
    svg.scrollIntoView({block: "center", behavior: "instant"});
    const box = svg.querySelectorAll(".tips > *")[1].getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2]; })()"""


def test_values_are_told_where_the_mouse_is(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    assert tab.run("document.querySelectorAll('.tips title').length") == 0, "the browser's own would show as well"
    x, y = tab.run(STRIP)
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    message = tab.run(TIP).split("\n")
    assert message[0] == "round 2"
    assert {each.split()[0] for each in message[1:]} == {"fedavg", "fedprox", "moon", "pooled"}
    assert message[1].startswith("pooled 0.900"), "the best on top"
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    assert tab.run(TIP) is None


def test_values_are_told_where_a_finger_is(tab: Page, report: Path) -> None:
    tab.open(report, width=390)
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        x, y = tab.run(STRIP)
        tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        assert tab.run(TIP).startswith("round 2"), "and it stays when the finger is lifted"
        box = tab.run(
            "(() => { const b = document.getElementById('tip').getBoundingClientRect(); return [b.left, b.right]; })()"
        )
        assert box[0] >= 0
        assert box[1] <= 390
    finally:
        tab.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_values_are_told_by_the_keyboard(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    tab.run('document.querySelector("figure svg:has(> .tips)").focus()')
    press(tab, "ArrowRight", 39)
    assert tab.run(TIP).startswith("round 1")
    press(tab, "ArrowRight", 39)
    assert tab.run(TIP).startswith("round 2")
    press(tab, "Escape", 27)
    assert tab.run(TIP) is None


def test_a_matrix_can_tell_counts(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    first = "getComputedStyle(document.querySelector('.matrix {}')).display"
    assert [tab.run(first.format(tag)) for tag in "bi"] == ["inline", "none"]
    tab.run("document.querySelector('.confusion .toggle input').click()")
    assert [tab.run(first.format(tag)) for tag in "bi"] == ["none", "inline"]


@pytest.mark.parametrize("dark", [False, True])
def test_what_stands_in_a_matrix_can_be_read(tab: Page, report: Path, dark: bool) -> None:
    """Contrast of numbers against their cells, whatever the share (WCAG: 4.5 for text of this size)."""
    tab.open(report, width=1280, dark=dark)
    script = """(() => { const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
      const light = (color) => { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
          .map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4));
        return .2126 * r + .7152 * g + .0722 * b; };
      const found = [];
      for (const kind of ["right", "wrong"]) for (let share = 0; share <= 100; share += 5) {
        const cell = document.querySelector(kind === "right" ? ".matrix td.right" : ".matrix td[style]:not(.right)");
        cell.style.setProperty("--v", share / 100);
        const style = getComputedStyle(cell), [a, b] = [light(style.color), light(style.backgroundColor)];
        found.push([kind, share, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]);
      } return found; })()"""
    assert [each for each in tab.run(script) if each[2] < 4.5] == []


def test_what_is_chosen_is_what_is_printed(tab: Page, report: Path) -> None:
    tab.open(report, width=1280)
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.run('document.getElementById("metric").value = 1')
    assert {*tab.run(AXIS)} == {"test F1", "test F1, minus that of fedavg"}
    tab.call("Emulation.setEmulatedMedia", media="")
