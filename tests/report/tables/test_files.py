"""Tables for people and programs: they hold what the rows say, and LaTeX that can be set."""

from __future__ import annotations

import csv
import re
from dataclasses import fields, replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fedmed.comparison.read import read
from fedmed.comparison.rows import Row, Summary, TargetRow
from fedmed.comparison.runs import Comparison
from fedmed.comparison.summary import summarise
from fedmed.report.tables.files import rows_csv, runs_csv, write
from fedmed.report.tables.latex import escape, latex
from fedmed.terminal.comparison import comparison_table, comparison_text
from tests.fabricated import CONFIG, run, runs, strategy

ARMS = {
    "fedavg": [0.70, 0.72, 0.69, 0.71, 0.73],
    "fedprox": [0.75, 0.76, 0.75, 0.75, 0.78],
    "moon": [0.74, 0.77, 0.74, 0.76, 0.77],
}


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """Three arms and a reference in two worlds, with curves and clients."""
    for alpha in (0.1, 1.0):
        partition = {**CONFIG["partition"], "alpha": alpha}
        for name, values in ARMS.items():
            for seed, value in enumerate(values):
                config = {"partition": partition, "strategy": strategy(name)}
                place = tmp_path / "runs" / f"{name}{seed}{alpha}"
                run(place, seed=seed, auc=value, config=config, curve=[0.1, value], clients=[0.3, value])
        run(tmp_path / "runs" / f"p{alpha}", auc=0.9, config={"partition": partition, "pooled": True}, curve=[0.8, 0.9])
    return read([tmp_path / "runs"])


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


def test_summary_csv_is_tidy(comparison: Comparison, tmp_path: Path) -> None:
    write(comparison, tmp_path / "out")
    lines = _read(tmp_path / "out" / "summary.csv")
    summary = summarise(comparison)
    assert len(lines) == len(summary.rows)
    assert list(lines[0]) == list(Row.__dataclass_fields__)
    line = next(line for line in lines if (line["arm"], line["world"]) == ("fedprox", "partition.alpha=0.1"))
    assert float(line["mean"]) == pytest.approx(0.758)
    assert (line["n"], line["mark"], line["test"]) == ("5", "best", "t")
    reference = next(line for line in lines if line["arm"] == "fedavg")
    assert (reference["difference"], reference["p_holm"]) == ("", "")


def test_runs_csv_has_a_line_per_run_with_all_numbers_of_final_json(comparison: Comparison, tmp_path: Path) -> None:
    write(comparison, tmp_path / "out")
    lines = _read(tmp_path / "out" / "runs.csv")
    assert len(lines) == len(comparison.runs) == 32
    assert {line["seed"] for line in lines} == set("01234")
    assert all(Path(line["directory"]).is_dir() for line in lines)
    pooled = [line for line in lines if line["arm"] == "pooled"]
    assert [float(line["test.auc"]) for line in pooled] == [0.9, 0.9]
    assert {"bytes.up", "test.loss", "seconds"} <= lines[0].keys()


def test_a_metric_that_a_run_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    run(tmp_path / "a", seed=0, final={"test.f1": 0.5})
    run(tmp_path / "b", seed=1)
    cells = {line["seed"]: line["test.f1"] for line in csv.DictReader(StringIO(runs_csv(read([tmp_path]))))}
    assert cells == {"0": "0.5", "1": ""}


def test_clients_and_targets_are_files_too(comparison: Comparison, tmp_path: Path) -> None:
    names = [path.name for path in write(comparison, tmp_path / "out")]
    assert names == ["summary.csv", "clients.csv", "targets.csv", "runs.csv", "summary.tex"]
    clients = _read(tmp_path / "out" / "clients.csv")
    assert float(clients[0]["decile.50"]) == pytest.approx((0.3 + 0.71) / 2)
    assert "deciles" not in clients[0]
    targets = _read(tmp_path / "out" / "targets.csv")
    assert {line["reached"] for line in targets} == {"5"}
    assert {line["arm"] for line in targets} == set(ARMS)


def _cells(latex_text: str) -> list[list[str]]:
    """The cells of each line of the tabular, by LaTeX's rules: unescaped ampersands between, two backslashes after."""
    body = latex_text.partition("\\toprule")[2].partition("\\bottomrule")[0]
    lines = [line.strip() for line in body.splitlines() if line.strip() and line.strip() != "\\midrule"]
    assert all(line.endswith(" \\\\") for line in lines)
    return [re.split(r"(?<!\\)&", line.removesuffix("\\\\")) for line in lines]


def _columns(latex_text: str) -> int:
    found = re.search(r"\\begin\{tabular\}\{(\w+)\}", latex_text)
    assert found is not None
    return len(found[1])


def test_latex_lines_have_as_many_cells_as_columns(comparison: Comparison) -> None:
    text = latex(summarise(comparison))
    lines = _cells(text)
    wide = [line for line in lines if "\\multicolumn" in line[0]]
    assert len(wide) == 2  # a line per world
    assert all(f"\\multicolumn{{{_columns(text)}}}" in line[0] for line in wide)
    assert {len(line) for line in lines if line not in wide} == {_columns(text)}
    assert len(lines) == 1 + 2 * (1 + 4)


def _check_syntax(text: str) -> None:
    """Braces and environments close in order; mathematics is balanced on each line."""
    plain = re.sub(r"\\[\\{}$&#%_]", "", re.sub(r"(?m)^%.*$", "", text))
    depth = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert all(line.count("$") % 2 == 0 for line in plain.splitlines())
    open_: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        assert kind == "begin" or open_.pop() == name
        open_ += [name] if kind == "begin" else []
    assert not open_


def test_latex_is_balanced_and_marks_the_best(comparison: Comparison) -> None:
    text = latex(summarise(comparison))
    _check_syntax(text)
    assert text.count("\\textbf{0.758}") == 2
    assert text.count("\\underline{0.756}") == 2
    assert "booktabs" in text


HOSTILE = 'a_b & 50% #1 {x} $y^2 ~z \\w <|> [c] "q"'


def test_hostile_names_are_escaped(comparison: Comparison) -> None:
    from dataclasses import replace

    summary = summarise(comparison)
    renamed = replace(comparison, arms=(HOSTILE, *comparison.arms[1:]), reference=HOSTILE)
    rows = tuple(replace(row, arm=HOSTILE) if row.arm == "fedavg" else row for row in summary.rows)
    text = latex(replace(summary, comparison=renamed, rows=rows))
    _check_syntax(text)
    assert {len(line) for line in _cells(text)} == {1, _columns(text)}
    bare = re.sub(r"\\([{}$&#%_])", "", re.sub(r"\\text\w+\{\}", "", escape(HOSTILE)))
    assert not set("&%#$_^~\\") & set(bare)


def test_plain_text_says_it_all(comparison: Comparison) -> None:
    text = comparison_text(summarise(comparison))
    line = next(line for line in text.splitlines() if "fedprox" in line)
    assert "fedprox *" in line
    assert "0.758 ± 0.013" in line
    assert "+0.048" in line
    assert "moon ~" in text
    assert "partition.alpha=0.1" in text
    assert "5 of 5" in text
    assert "paired t test" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 140


def test_a_rich_terminal_says_the_same(comparison: Comparison) -> None:
    stream = StringIO()
    Console(file=stream, width=200).print(comparison_table(summarise(comparison), 200))
    assert "0.758 ± 0.013" in stream.getvalue()
    assert "paired t test" in stream.getvalue()


def test_one_world_needs_no_column_and_one_seed_no_interval(tmp_path: Path) -> None:
    summary: Summary = summarise(read(runs(tmp_path, {"fedavg": [0.5], "fedprox": [0.6]})))
    text = comparison_text(summary)
    assert "world" not in text.splitlines()[0]
    assert "[" not in text.splitlines()[3]
    assert text.splitlines()[0].split() == ["arm", "seeds", "test.auc", "-", "fedavg"]  # no column without a cell
    assert "too few" in text


def test_text_that_a_spreadsheet_would_compute_is_kept_text() -> None:
    formulas = ['=HYPERLINK("http://evil")', "+1", "-1+cmd", "@SUM(A1)", "\t=1"]
    row = TargetRow(**{field.name: None for field in fields(TargetRow)})  # type: ignore[arg-type]
    for formula in formulas:
        (line,) = csv.DictReader(StringIO(rows_csv(TargetRow, [replace(row, arm=formula)])))
        assert line["arm"] == f"'{formula}"
    for other, kept in (("a=b", "a=b"), ("a\r=1", "a\\r=1"), ("a\n=1", "a\n=1")):
        (line,) = csv.DictReader(StringIO(rows_csv(TargetRow, [replace(row, arm=other)])))
        assert line["arm"] == kept
