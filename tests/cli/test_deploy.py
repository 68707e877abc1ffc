from pathlib import Path

import pytest

from fedmed.cli import deploy
from fedmed.cli.main import main
from fedmed.engine.flower_run import LOOPBACK


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "required: --local"),
        (("--local", "0"), "at least 1 SuperNode"),
        (("--local", "2", "clients=3"), "got clients=3"),
        (("--local", "2", "engine=pool"), "got engine=pool"),
        (("--local", "2", "-m", "seed=0,1"), "got -m"),
        (("--local", "2", "rounds=none"), "rounds: expected"),
    ],
)
def test_faults_are_told_before_any_process_starts(
    arguments: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fedmed.deploy.loopback.Loopback.__enter__", lambda self: pytest.fail("started"))
    assert main(["deploy", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_connection_is_that_of_the_loopback() -> None:
    assert deploy.CONNECTION == LOOPBACK
