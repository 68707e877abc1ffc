"""Tables on narrow screens."""

from __future__ import annotations

import pytest

from fedmed.terminal.fit import fit
from fedmed.terminal.text_table import TextTable

LONG = "fedprox+fednpr strategy.fedprox.mu=0.01 strategy.fednpr.weight="
TEXT = "a text of words that is too long for one line"
GRID = TextTable(
    header=["world", "arm", "seeds", "test.auc", "95 %", "chosen"],
    rows=[
        ["alpha=0.1", LONG + "0.05", "5", "0.123 ± 0.456", "[-0.707, 1.741]", TEXT],
        ["alpha=0.1", LONG + "0.10 *", "5", "0.789 ± 0.012", "[-0.565, 1.643]", "short"],
        ["alpha=1.0", "fedavg", "5", "1,234.5", "", ""],
    ],
    left=frozenset({0, 1, 5}),
    breaks=frozenset({1}),
    above=["Something to be said above the table that takes more than sixty characters"],
    below=["* best of its world"],
)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_everything_is_said_within_the_width(width: int) -> None:
    said = "\n".join(part.text() for part in fit(GRID, width))
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    words = " ".join(said.split())
    for cell in (cell for row in (GRID.header, *GRID.rows) for cell in row[2:5]):
        assert cell in said
    for text in (*GRID.above, *GRID.below, "0.05", "0.10 *"):
        assert text in words
    assert max(part.width for part in fit(GRID, width)) <= width  # as rich sets it


def test_a_table_that_fits_stays_one() -> None:
    (whole,) = fit(GRID, 300)
    assert whole.text() == GRID.text()


def test_names_of_rows_stand_in_every_part() -> None:
    rows = [["fedavg", "0.1", "0.2"], ["fedprox", "0.3", "0.4"]]
    parts = fit(TextTable(header=["arm", "first column", "second column"], rows=rows, breaks=frozenset({0})), 30)
    assert [[row[0] for row in part.rows] for part in parts] == [["fedavg", "fedprox"]] * 2
    assert [[row[1] for row in part.rows] for part in parts] == [["0.1", "0.3"], ["0.2", "0.4"]]
