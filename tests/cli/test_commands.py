from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.cli import new
from fedmed.cli.main import main
from fedmed.config.build import experiment_from
from fedmed.config.compose import compose
from fedmed.options.catalogue import discover
from fedmed.options.groups import GROUPS, PACKAGE
from fedmed.rundir.federation import FederationSummary


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints to standard output, or to standard error where it fails."""
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


@pytest.mark.parametrize("group", GROUPS.values(), ids=list(GROUPS))
def test_list_says_what_each_option_is_within_80_columns(group: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = output_of(capsys, "list", group.plural)
    assert max(map(len, text.splitlines())) <= 80
    entries = {words.split()[0]: " ".join(words.split()) for words in re.split(r"\n(?=\S)", text)}
    for option in discover().options[group.name].values():
        assert entries[option.name].endswith(option.summary)
        own = [f"{field.name}={field.default_text}" for field in option.fields if not field.inherited]
        assert [each for each in own if each not in entries[option.name]] == []


def test_list_names_experiments_and_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert "smoke " in output_of(capsys, "list", "experiments")
    overview = output_of(capsys, "list")
    assert [group.plural for group in GROUPS.values() if group.plural not in overview] == []
    assert "Did you mean strategies" in output_of(capsys, "list", "strategie", code=2)


def test_list_warns_of_a_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/bad.py").write_text("class Bad(Method:\n", encoding="utf-8")
    assert main(["list", "strategies"]) == 0
    captured = capsys.readouterr()
    assert "fedavg" in captured.out
    assert "warning: bad cannot be used" in captured.err


def test_list_on_a_terminal_fits_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", output_of(capsys, "list", "datasets"))
    assert max(len(line) for line in shown.partition("\nEvery")[0].splitlines()) == 80


def test_a_new_method_is_one_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "fedmed run strategy=my_method" in output_of(capsys, "new", "my_method")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.py")] == [Path("strategies/my_method.py")]
    made: Any = experiment_from(["strategy=my_method", "strategy.strength=0.5"]).methods.members["my_method"]
    assert (type(made).__name__, made.strength) == ("MyMethod", 0.5)
    assert "a name that is free" in output_of(capsys, "new", "my_method", code=2)


def test_a_new_method_elsewhere_is_named_by_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "strategy=elsewhere/mine.py" in output_of(capsys, "new", "mine", "--dir", "elsewhere")
    assert "mine" in compose(["strategy=elsewhere/mine.py"]).methods
    assert "does not exist yet" in output_of(capsys, "new", "mine", "--dir", "elsewhere", code=2)


@pytest.mark.parametrize("name", ["MyMethod", "2nd", "a-b", "../a", "class", "fedprox", ""])
def test_a_new_method_needs_a_name_that_is_free(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "fedmed new" in output_of(capsys, "new", name, code=2)
    assert list(tmp_path.iterdir()) == []


def test_inside_a_checkout_a_new_method_joins_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    if (PACKAGE / "strategies").is_dir():
        pytest.skip("fedmed is installed, not a checkout")
    monkeypatch.chdir(PACKAGE / "data")
    assert new._folder() == PACKAGE.parent / "strategies"
    monkeypatch.chdir(PACKAGE.parent)
    assert new._folder() == Path("strategies")


def test_doctor_names_versions_and_what_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/bad.py").write_text("class Bad(Method:\n", encoding="utf-8")
    text = output_of(capsys, "doctor")
    assert "torch" in text
    assert "strategy=bad" in text
    assert "device=auto takes" in text
    assert str(tmp_path / "runs") in text


def test_describe_prints_and_draws_the_federation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def describe(config: Any, save: Path | None) -> FederationSummary:
        asked.append((config.clients, save))
        counts = np.array([[3, 1], [0, 4]])
        names = ["one", "other"]
        return FederationSummary("Title", counts, counts.repeat(2, 1)[:, :3], None, None, names, names, None, 5)

    monkeypatch.setattr("fedmed.run.describe", describe)
    assert "Title" in output_of(capsys, "describe", "clients=2", "--png", "picture.png", "--save", "split.json")
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert "Title" in output_of(capsys, "describe", "--no-png")
    assert asked == [(2, Path("split.json")), (None, None)]
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert "rounds" in output_of(capsys, "describe", "rounds=0", code=2)


@pytest.mark.parametrize("command", ["export", "predict"])
def test_using_a_model_says_what_was_written(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def use(*paths: Path | None, best: bool, **rest: Any) -> Path:
        asked.append((*paths, best, *rest.get("trusted", ())))
        return Path("there")

    monkeypatch.setattr(f"fedmed.run.{command}", use)
    images = ["images.npz"] if command == "predict" else []
    trust = ["--trust", "mine.py"] if command == "predict" else []
    assert output_of(capsys, command, "run", *images, "--out", "there", "--best", *trust) == "wrote there\n"
    assert asked == [(Path("run"), *map(Path, images), Path("there"), True, *map(Path, trust[1:]))]
