"""The page that leads to others: every run is on it, and every link arrives."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from fedmed.comparison.record import write_record
from fedmed.report.index import write_index
from tests.fabricated import run
from tests.report.test_page import Parsed

HOSTILE = """a"><img src=q onerror='alert(1)'> & 100% #1?b:c"""


def index(folder: Path, into: Path | None = None) -> Parsed:
    path, _ = write_index(folder, into or folder)
    return Parsed(path.read_text(encoding="utf-8"))


def links(found: Parsed) -> list[str]:
    return [str(a["href"]) for a in found.all("a") if not str(a["href"]).startswith("#")]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_links_lead_to_pages_that_are_there(tmp_path: Path, elsewhere: bool) -> None:
    runs = tmp_path / "runs"
    for name in ("plain", HOSTILE, "sub/dir"):
        (run(runs / name) / "report.html").write_text("", encoding="utf-8")
    run(runs / "without")
    (runs / "report.html").write_text("", encoding="utf-8")
    write_record(runs / "c:mpared", {runs / "plain": "fedavg seed=0"}, overrides=["x=1"])
    (runs / "c:mpared/report.html").write_text("", encoding="utf-8")
    into = tmp_path / "else where" if elsewhere else runs
    found = index(runs, into)
    assert found.open == []
    assert len(links(found)) == 5
    for link in links(found):
        assert link.startswith(".")
        address = urlsplit(link)
        assert (into / unquote(address.path)).resolve().is_file(), link
        assert (address.scheme, address.query, address.fragment) == ("", "", "")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    (run(tmp_path / HOSTILE) / "report.html").write_text("", encoding="utf-8")
    (run(tmp_path / f"{HOSTILE}2") / "run.json").write_text("{", encoding="utf-8")
    path, _ = write_index(tmp_path, tmp_path, notes=[HOSTILE])
    text = path.read_text(encoding="utf-8")
    assert "<img" not in text
    assert HOSTILE in unescape(text)


def test_statuses_and_failures_are_told(tmp_path: Path) -> None:
    place = run(tmp_path / "stopped", curve=[0.5, 0.6], config={"rounds": 7})
    about = json.loads((place / "run.json").read_text(encoding="utf-8"))
    (place / "run.json").write_text(json.dumps(about | {"status": "stopped"}), encoding="utf-8")
    run(tmp_path / "fine")
    lost = {tmp_path / name: f"moon seed={name[-1]}" for name in ("gone", "gone1")}
    write_record(tmp_path / "one", lost, overrides=[], failed=dict.fromkeys(lost, "no memory"))
    path, message = write_index(tmp_path, tmp_path)
    assert message == "4 runs, 2 failed, 1 stopped, 1 finished, 1 comparison"
    found = Parsed(path.read_text(encoding="utf-8"))
    assert {"stopped", "failed"} <= {*found.texts["span"]}
    assert [text for text in found.texts["li"] if "no memory" in text] == [": no memory"], "once for both"
    assert "gone, gone1" in found.texts["b"]
    assert any("of 7" in text for text in found.texts["span"])


def test_a_folder_of_nothing_has_an_empty_table(tmp_path: Path) -> None:
    assert write_index(tmp_path, tmp_path)[1] == "0 runs"
