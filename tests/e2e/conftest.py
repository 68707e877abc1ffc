"""The command line in this process, in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedmed.cli.main import main

Fedmed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fedmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fedmed:
    """fedmed(*arguments): exit code, standard output and standard error of the command, called in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def refused(fedmed: Fedmed, tmp_path: Path) -> Callable[..., list[str]]:
    """refused(*overrides): the faults of a run that must not start."""

    def call(*overrides: object) -> list[str]:
        code, out, err = fedmed("run", "rounds=1", *overrides)
        assert (code, out) == (2, ""), err
        lines: list[str] = err.splitlines()
        for line in lines:
            assert line.startswith("fedmed: error: ")
            assert ": expected " in line
            assert ", got " in line
        assert not (tmp_path / "runs").exists()
        return lines

    return call
