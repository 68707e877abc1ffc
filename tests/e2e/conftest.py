"""Runs that must not start, by the command line in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fresh import Fedmed


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
