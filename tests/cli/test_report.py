from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fedmed.cli import report
from fedmed.cli.main import main
from fedmed.comparison.record import write_record
from tests import fabricated
from tests.fabricated import strategy


def test_the_page_of_a_folder_lies_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fabricated.runs(tmp_path, {"fedavg": [0.7, 0.8], "fedprox": [0.8, 0.9]})
    assert main(["report", str(tmp_path)]) == 0
    printed = f"wrote {tmp_path}/report.html\nwrote {tmp_path}/index.html: 4 runs, 4 finished\n"
    assert capsys.readouterr().out == printed
    assert {"report.html", "summary.csv", "runs.csv", "summary.tex", "figures"} <= {p.name for p in tmp_path.iterdir()}


def test_of_a_run_and_of_a_comparison_there_is_no_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = fabricated.run(tmp_path / "runs/a")
    write_record(tmp_path / "one", {place: "fedavg seed=0"}, overrides=[])
    for folder in (place, tmp_path / "one"):
        assert main(["report", str(folder)]) == 0
        assert capsys.readouterr().out == f"wrote {folder}/report.html\n"
        assert not (folder / "index.html").exists()


def test_runs_that_cannot_be_compared_still_have_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which says why; who says how to compare hears of it as an error."""
    fabricated.run(tmp_path / "a")
    fabricated.run(tmp_path / "b", marks={**fabricated.MARKS, "data": "other"}, config={"strategy": strategy("moon")})
    assert main(["report", str(tmp_path)]) == 0
    given = capsys.readouterr()
    assert given.out == f"wrote {tmp_path}/index.html: 2 runs, 2 finished\n"
    assert "No page compares these runs" in given.err
    assert "No page compares these runs" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert main(["report", str(tmp_path), "--metric", "auc"]) == 2
    assert "index" not in capsys.readouterr().out


def test_runs_of_which_none_has_ended_have_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fabricated.run(tmp_path / "a") / "final.json").unlink()
    assert main(["report", str(tmp_path)]) == 0
    assert "wrote" in capsys.readouterr().out
    assert main(["report", str(tmp_path), "--open", "--reference", "moon"]) == 2


def test_each_finished_run_gets_a_page_if_asked_for(tmp_path: Path) -> None:
    fabricated.runs(tmp_path, {"fedavg": [0.7], "moon": [0.8]})
    (fabricated.run(tmp_path / "damaged") / "config.yaml").write_text("", encoding="utf-8")
    assert main(["report", str(tmp_path), "--each"]) == 0
    assert {path.parent.name for path in tmp_path.glob("*/report.html")} == {"fedavg_0", "moon_0"}
    assert 'href="./moon_0/report.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_page_of_several_lies_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = fabricated.runs(tmp_path, {"fedavg": [0.7, 0.8]})
    assert main(["report", *map(str, paths)]) == 0
    assert (tmp_path / "report/report.html").exists()
    assert main(["report", str(paths[0]), "--output", "other", "--metric", "loss"]) == 0
    assert "test loss" in (tmp_path / "other/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        ([".", "--metric", "aucc"], "auc"),
        ([".", "--reference", "fedsgd"], "fedavg"),
        ([], "DIR"),
    ],
)
def test_what_cannot_be_shown_is_said(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    fabricated.runs(tmp_path, {"fedavg": [0.7]})
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_open_shows_the_page_in_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: shown.append(uri) or True)
    fabricated.runs(tmp_path, {"fedavg": [0.7]})
    assert main(["report", str(tmp_path), "--open"]) == 0
    assert shown == [f"file://{tmp_path.resolve()}/report.html"]


def test_no_browser_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("webbrowser.open", lambda uri: False)
    report.show(Path("report.html"))
    assert "open report.html yourself" in capsys.readouterr().err


def test_help_needs_no_torch() -> None:
    program = "import sys; from fedmed.cli.main import main; main(['report', '--help'])"
    code = (
        f"try:\n {program}\nexcept SystemExit: pass\nassert not {{'torch', 'matplotlib', 'jinja2'}} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "--reference ARM" in done.stdout
