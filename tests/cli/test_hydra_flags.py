from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.cli.main import main


@pytest.mark.parametrize("part", ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"])
def test_info_tells_what_hydra_tells(part: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--info", part, "strategy=fedprox"]) == 0
    assert {"plugins": "BasicSweeper", "searchpath": "pkg://fedmed.configs"}.get(
        part, "fedprox"
    ) in capfd.readouterr().out


def test_hydra_help_names_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--hydra-help"]) == 0
    assert "--config-dir" in capsys.readouterr().out


def test_config_dir_adds_choices_beside_those_of_a_searchpath(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, rounds in (("it's, mine", 4), ("other", 5)):
        (tmp_path / folder / "experiment").mkdir(parents=True)
        (tmp_path / folder / "experiment" / f"of_{rounds}.yaml").write_text(
            f"# @package _global_\nrounds: {rounds}\n", encoding="utf-8"
        )
    other = f"hydra.searchpath=[file://{tmp_path}/other]"
    for rounds in (4, 5):
        words = ["--config-dir", "it's, mine", f"experiment=of_{rounds}", other]
        assert main(["run", "--cfg", "job", "-p", "rounds", *words]) == 0
        assert capsys.readouterr().out == f"{rounds}\n"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--config-dir", "nowhere"], "--config-dir: expected a folder, got nowhere"),
        (["--config-path", "conf"], "--config-dir DIR"),
        (["--config-name", "mine"], "experiment=NAME"),
        (["--experimental-rerun", "config.pickle"], "resume=DIR"),
        (["--multirun", "--cfg", "job"], "--multirun and --cfg: expected one of them"),
        (["--resolve"], "Add --cfg job"),
        (["--info", "everything"], "choose from"),
        (["-sc", "install=tcsh"], "install|uninstall|query=bash|fish|zsh"),
    ],
)
def test_other_flags_are_answered_with_words(words: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *words]) == 2
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
@pytest.mark.parametrize("command", [["-sc"], ["run", "--shell-completion"]])
def test_completion_can_be_installed(shell: str, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, f"install={shell}"]) == 0
    assert "COMP_LINE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "some", "without"),
    [
        ("fedmed ", "compare", "rounds="),
        ("fedmed co", "compare", "run"),
        ("fedmed run strategy=fedp", "strategy=fedprox", "strategy=moon"),
        ("fedmed run --json strategy=fedprox+fedbn strategy.fedprox.", "strategy.fedprox.mu=", "rounds="),
        ("fedmed compare part", "partition=", "compare"),
        ("fedmed doctor part", "", "partition="),
    ],
)
def test_lines_are_completed(
    line: str, some: str, without: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert main(["-sc", "query=bash"]) == 0
    words = capsys.readouterr().out.split()
    assert some in words or not some
    assert without not in words
