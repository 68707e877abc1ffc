"""Pages of docs/: what they link to and name is there, and decisions have one form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("seeds/*.md")]
PARTS = ["Context", "Decision", "Evidence", "Consequences"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The names under which GitHub finds a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    words = (re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", each).lower() for each in headings)
    return {re.sub(r"[^\w\- ]", "", each).replace(" ", "-") for each in words}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=named)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    folders = "fedmed|tests|benchmarks|tools|strategies|datasets|configs|docs|seeds|examples"
    found = re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text(encoding="utf-8"))
    made = {"strategies/small_features.py"}
    assert [each for each in found if each not in made and not (ROOT / each).exists()] == []


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=named)
def test_benchmarks_and_tools_that_a_page_runs_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    modules = [each.replace(".", "/") for each in re.findall(r"python -m ((?:benchmarks|tools)[\w.]*)", text)]
    assert [m for m in modules if not (ROOT / m).is_dir() and not (ROOT / f"{m}.py").exists()] == []
    scripts = re.findall(r"python ((?:benchmarks|tools)/[\w/]+\.py)", text)
    assert [script for script in scripts if not (ROOT / script).exists()] == []


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_a_decision_has_a_number_a_date_and_four_parts(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {page.name[:4]}. ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(, revised \d{4}-\d\d-\d\d)*", lines[2])
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == PARTS


def test_decisions_are_numbered_by_date() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    dates = [page.read_text(encoding="utf-8").splitlines()[2][:10] for page in DECISIONS]
    assert dates == sorted(dates)


def test_the_index_lists_every_decision_by_its_title_and_date() -> None:
    listed = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8").splitlines()
    rows = []
    for page in DECISIONS:
        title, _, date = page.read_text(encoding="utf-8").splitlines()[:3]
        number, _, title = title.removeprefix("# ").partition(". ")
        rows.append(f"| {number} | [{title}]({page.name}) | {date[:10]} |")
    assert sorted(line for line in listed if re.match(r"\| \d", line)) == rows
