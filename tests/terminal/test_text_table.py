from io import StringIO

import pytest
from rich.console import Console

from fedmed.terminal.text_table import TextTable, fit

TABLE = TextTable(
    header=["", "auc", "name"],
    rows=[["a", "0.5", "x"], ["total", "10.25", "[y]"]],
    left=frozenset({0, 2}),
    breaks=frozenset({0}),
    above=["title"],
    below=["", "/a/very/long/path" * 10],
)


def test_plain_text_is_aligned() -> None:
    lines = TABLE.text().splitlines()
    assert lines[:6] == [
        "title",
        "         auc  name",
        "------------------",
        "a        0.5  x",
        "------------------",
        "total  10.25  [y]",
    ]
    assert lines[-1] == "/a/very/long/path" * 10


def test_rich_says_the_same_takes_no_markup_and_does_not_wrap_lines_below() -> None:
    stream = StringIO()
    Console(file=stream, width=60).print(TABLE.rich(), soft_wrap=True)
    out = stream.getvalue()
    assert "title" in out
    assert "[y]" in out
    assert "/a/very/long/path" * 10 in out


def test_width_is_that_of_a_rich_line() -> None:
    stream = StringIO()
    Console(file=stream, width=200).print(TABLE.rich())
    header = next(line for line in stream.getvalue().splitlines() if "auc" in line)
    assert len(header.rstrip()) == TABLE.width


def test_names_steer_no_terminal() -> None:
    grid = TextTable(header=["\x1b[2J"], rows=[["a\x1b]0;title\x07\u202e"]], above=["\x9b31m"], below=["\x00"])
    assert grid.text().splitlines()[0] == "\\x9b31m"
    assert "a\\x1b]0;title\\x07\\u202e" in grid.text()
    assert not set(grid.text()) & set("\x00\x07\x1b\x9b\u202e")
    console = Console(file=StringIO(), width=80)
    console.print(grid.rich())
    assert not set(console.file.getvalue()) & set("\x00\x07\x1b\x9b\u202e")  # type: ignore[attr-defined]


LONG = "fedprox+fednpr strategy.fedprox.mu=0.01 strategy.fednpr.weight="
TEXT = "a text of words that is too long for one line"
WIDE = TextTable(
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
    message = "\n".join(part.text() for part in fit(WIDE, width))
    assert max(map(len, message.splitlines())) <= width
    assert "…" not in message
    words = " ".join(message.split())
    for cell in (cell for row in (WIDE.header, *WIDE.rows) for cell in row[2:5]):
        assert cell in message
    for text in (*WIDE.above, *WIDE.below, "0.05", "0.10 *"):
        assert text in words
    assert max(part.width for part in fit(WIDE, width)) <= width  # as rich sets it


def test_a_table_that_fits_stays_one() -> None:
    (whole,) = fit(WIDE, 300)
    assert whole.text() == WIDE.text()


def test_names_of_rows_stand_in_every_part() -> None:
    rows = [["fedavg", "0.1", "0.2"], ["fedprox", "0.3", "0.4"]]
    parts = fit(TextTable(header=["arm", "first column", "second column"], rows=rows, breaks=frozenset({0})), 30)
    assert [[row[0] for row in part.rows] for part in parts] == [["fedavg", "fedprox"]] * 2
    assert [[row[1] for row in part.rows] for part in parts] == [["0.1", "0.3"], ["0.2", "0.4"]]
