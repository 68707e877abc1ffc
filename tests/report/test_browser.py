"""The page in a browser: no error, nothing from the network, tables that sort, colours that change, room on a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.read import read
from fedmed.report import page
from tests.report.test_page import compared

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")

WATCH = """<script>
window.faults = [];
for (const kind of ["error", "securitypolicyviolation", "unhandledrejection"])
  addEventListener(kind, (event) => window.faults.push(kind + ": " + (event.message || event.blockedURI)), true);
for (const kind of ["error", "warn"])
  { const say = console[kind]; console[kind] = (...said) => { window.faults.push(said.join(" ")); say(...said); }; }
</script>"""
"""Goes before everything else on the page, to hear what goes wrong."""

ASK = """<script>
const seen = {};
const table = document.querySelector("table.sortable"), buttons = table.querySelectorAll("thead button");
const column = (n) => [...table.tBodies[0].rows].map((row) => row.cells[n].textContent.trim().split(/\\s+/)[0]);
seen.before = column(1);
buttons[1].click(); seen.descending = column(1); seen.sorted = buttons[1].parentElement.getAttribute("aria-sort");
buttons[1].click(); seen.ascending = column(1);
buttons[0].click(); seen.names = column(0); seen.only = document.querySelectorAll("[aria-sort]").length;
const shade = () => getComputedStyle(document.body).backgroundColor;
seen.shades = [shade()]; document.getElementById("theme").click(); seen.shades.push(shade());
const all = (what) => [...document.querySelectorAll(what)], height = (each) => each.getBoundingClientRect().height;
seen.figures = all("figure > svg, figure .scroll > svg, figure img").map(height);
seen.flat = all("button, summary").filter((each) => height(each) && height(each) < 24).map((each) => each.textContent);
seen.wide = document.documentElement.scrollWidth - innerWidth;
const resources = performance.getEntriesByType("resource").map((each) => each.name);
seen.loaded = resources.filter((name) => !name.startsWith("data:"));
seen.faults = window.faults;
document.body.insertAdjacentHTML("beforeend", "<pre id=seen></pre>");
document.getElementById("seen").textContent = JSON.stringify(seen);
</script>"""
"""Goes after everything else: uses the page, and writes down what came of it."""


def visit(path: Path, tmp_path: Path, size: str) -> tuple[dict[str, Any], str]:
    """What the page does in a window of that size, and what the browser says about it."""
    text = path.read_text().replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{ASK}</body>")
    watched = tmp_path / "watched.html"
    watched.write_text(text)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={size}"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--hide-scrollbars", "--dump-dom"]
    done = subprocess.run(
        [str(CHROMIUM), *flags, watched.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    return json.loads(unescape(found[1])), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
def test_the_page_works_in_a_browser(size: str, tmp_path: Path) -> None:
    path = page.write(read([compared(tmp_path / "runs", (0.1, 1.0))]), tmp_path / "out")
    seen, said = visit(path, tmp_path, size)
    assert seen["faults"] == []
    assert "CONSOLE" not in said
    assert seen["loaded"] == []
    assert seen["descending"] == sorted(seen["before"], reverse=True) != seen["before"]
    assert seen["ascending"] == sorted(seen["before"])
    assert (seen["names"], seen["sorted"], seen["only"]) == (sorted(seen["names"]), "descending", 1)
    assert len(set(seen["shades"])) == 2
    assert len(seen["figures"]) >= 9
    assert seen["flat"] == [], "what can be pressed is large enough for a finger"
    assert seen["wide"] <= 0, "nothing is wider than the window"
