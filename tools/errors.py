"""Writes docs/errors.md, the catalogue of what fedmed refuses, from the refusals in the code.

python -m tools.errors           writes the page
python -m tools.errors --check   exits with 1, and shows what differs, where the page is not what the code says
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections import defaultdict
from collections.abc import Iterable

from tools.refusals import Refusal, refusals
from tools.words import CLOSING, OPENING, ROOT

PAGE = ROOT / "docs/errors.md"

PARTS = {
    "Commands and options": ("cli", "api", "config", "options", "experiment", "campaign", "tuning"),
    "Data": ("data", "datasets"),
    "Models": ("models", "initial_net"),
    "Methods": ("method", "strategies", "client", "checks"),
    "Rounds, conditions and what clients send": ("server", "flower", "metrics"),
    "Where clients run": ("engine", "deploy", "devices"),
    "Runs and their directories": ("run", "rundir", "inference", "errors"),
    "Comparing and tracking": ("comparison", "tracking", "report"),
    "Privacy budgets": ("scheduling",),
}
"""Headings, and the parts of the code whose refusals stand under them."""

ELSEWHERE = "Elsewhere"

HEAD = f"""\
# Errors

What fedmed refuses, one line for each error.
All have one form: **where: expected what would be right, got what was found. What to do.**
Search this page for the words after *expected* in yours.
{OPENING}Words{CLOSING} between these signs differ from case to case, and a slash stands between alternatives.

A command that refuses ends with exit code 2; all faults of a configuration are told together, before any training.
In Python it is a `fedmed.errors.UserError`, whose `faults` have the four parts of the sentence.
Bounds of options are not listed one by one (*expected a number above 0*): `fedmed list` and `--help` show them.

This page is written by `python -m tools.errors` from the code, and a test holds that it is current.
"""


def main() -> int:
    """Writes the page, or compares it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare the page with the code")
    given = parser.parse_args()
    made = page(refusals())
    if not given.check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    sys.stdout.writelines(changes(made))
    return 1 if changes(made) else 0


def changes(made: str) -> list[str]:
    """The lines in which the page that is there differs from one that is made; empty where it is current."""
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    lines = difflib.unified_diff(there.splitlines(), made.splitlines(), "docs/errors.md", "the code", n=0, lineterm="")
    return [f"{line}\n" for line in lines]


def page(found: Iterable[Refusal]) -> str:
    """The page in Markdown; errors that read alike are one entry with several files."""
    entries: defaultdict[str, defaultdict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in found:
        entries[part_of(each.file)][str(each), each.fix].add(each.file)
    titles = [title for title in (*PARTS, ELSEWHERE) if title in entries]
    contents = "\n".join(f"- [{title}](#{anchor(title)})" for title in titles)
    sections = [f"## {title}\n\n{section(entries[title])}" for title in titles]
    return "\n\n".join([HEAD.strip(), contents, *sections]) + "\n"


def section(entries: dict[tuple[str, str], set[str]]) -> str:
    """The entries of a part; those whose place is known from the start first."""
    order = sorted(entries, key=lambda entry: (entry[0].startswith(OPENING), entry))
    return "\n".join(
        f"- `{sentence}`{f' {escaped(fix)}' if fix else ''} ({', '.join(map(link, sorted(entries[sentence, fix])))})"
        for sentence, fix in order
    )


def part_of(file: str) -> str:
    """The heading under which the refusals of a file stand."""
    names = file.removesuffix(".py").split("/")
    unit = names[1] if names[0] == "fedmed" else names[0]
    return next((title for title, units in PARTS.items() if unit in units), ELSEWHERE)


def link(file: str) -> str:
    """A link from the page to a file."""
    return f"[{file}](../{file})"


def anchor(title: str) -> str:
    """The name under which GitHub finds a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def escaped(text: str) -> str:
    """Text in which Markdown reads no signs of its own."""
    return re.sub(r"([\\*_<>\[\]#])", r"\\\1", text)


if __name__ == "__main__":
    sys.exit(main())
