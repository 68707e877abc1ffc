"""Tables in Markdown: means with standard deviations, differences with intervals, bold where these are sure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fedmed.comparison.estimates import Estimate, estimate


def table(corner: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table and an empty line; nothing where there are no rows."""
    if not rows:
        return []
    lines = [[corner, *header], ["---"] * (len(header) + 1), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def mean(values: Iterable[float], seeds: int) -> str:
    """A mean and its standard deviation; a dash where there is no value."""
    found = list(values)
    if not found:
        return "-"
    given = estimate(found)
    text = f"{given.mean:.3f}" if given.number == 1 else f"{given.mean:.3f} ({given.sd:.3f})"
    return text + _missing(given, seeds)


def interval(given: Estimate | None, seeds: int) -> str:
    """A difference and its interval, bold where that leaves out 0; empty where there is none."""
    if given is None:
        return ""
    if given.number == 1:
        return f"{given.mean:+.3f}" + _missing(given, seeds)
    text = f"{given.mean:+.3f} [{given.low:+.3f}, {given.high:+.3f}]"
    return (f"**{text}**" if given.apart else text) + _missing(given, seeds)


def _missing(given: Estimate, seeds: int) -> str:
    """Says so where not every run ended."""
    return "" if given.number == seeds else f" of {given.number} runs"
