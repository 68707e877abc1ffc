from io import StringIO

from rich.console import Console

from fedmed.terminal.text_table import TextTable

GRID = TextTable(
    header=["", "auc", "name"],
    rows=[["a", "0.5", "x"], ["total", "10.25", "[y]"]],
    left=frozenset({0, 2}),
    breaks=frozenset({0}),
    above=["title"],
    below=["", "/a/very/long/path" * 10],
)


def test_plain_text_is_aligned() -> None:
    lines = GRID.text().splitlines()
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
    Console(file=stream, width=60).print(GRID.rich(), soft_wrap=True)
    out = stream.getvalue()
    assert "title" in out
    assert "[y]" in out
    assert "/a/very/long/path" * 10 in out


def test_width_is_that_of_a_rich_line() -> None:
    stream = StringIO()
    Console(file=stream, width=200).print(GRID.rich())
    header = next(line for line in stream.getvalue().splitlines() if "auc" in line)
    assert len(header.rstrip()) == GRID.width


def test_names_steer_no_terminal() -> None:
    grid = TextTable(header=["\x1b[2J"], rows=[["a\x1b]0;title\x07\u202e"]], above=["\x9b31m"], below=["\x00"])
    assert grid.text().splitlines()[0] == "\\x9b31m"
    assert "a\\x1b]0;title\\x07\\u202e" in grid.text()
    assert not set(grid.text()) & set("\x00\x07\x1b\x9b\u202e")
    console = Console(file=StringIO(), width=80)
    console.print(grid.rich())
    assert not set(console.file.getvalue()) & set("\x00\x07\x1b\x9b\u202e")  # type: ignore[attr-defined]
