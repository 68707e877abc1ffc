from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fedmed import __version__
from fedmed.cli.main import COMMANDS, main
from fedmed.offline import QUIET


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == main([]) == 0
    message = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in message] == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "run"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"fedmed {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fedmed {__version__}\n"


def test_an_unknown_command_is_refused_with_near_misses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rum"]) == 2
    assert "Did you mean run?" in capsys.readouterr().err
    assert main(["strategy=fedprox"]) == 2
    assert "fedmed run first" in capsys.readouterr().err


def test_flower_is_told_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    main(["--version"])
    assert {name: os.environ[name] for name in QUIET} == QUIET


@pytest.mark.parametrize("arguments", [["--help"], ["list", "strategies"], ["run", "--help"], ["run", "--cfg", "job"]])
def test_what_trains_nothing_imports_neither_torch_nor_flower(arguments: list[str], tmp_path: Path) -> None:
    heavy = "len({'torch', 'flwr', 'monai'} & {*sys.modules})"
    code = f"import sys; from fedmed.cli.main import main; main(sys.argv[1:]); sys.exit({heavy})"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert list(tmp_path.iterdir()) == []


def test_python_m_fedmed_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "fedmed", "rum"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
