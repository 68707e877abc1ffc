"""What disks do to commands: a full one, one that is read-only, a folder without permission end none in a traceback."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedmed.cli.main import main
from tests.run.traces import leftovers, trace

SMALL = ["dataset.images=40", "dataset.test_images=8", "dataset.side=16", "clients=2", "rounds=3", "model.width=4"]
RUN = ["run", "-q", *SMALL, "strategy=scaffold", "engine=inprocess"]
ERRORS = [errno.ENOSPC, errno.EROFS, errno.EACCES]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight") / "kept"
    assert main([*RUN, f"hydra.run.dir={folder}"]) == 0
    np.savez(folder.parent / "images.npz", images=np.zeros((2, 16, 16), np.uint8))
    return folder


def break_disk(monkeypatch: pytest.MonkeyPatch, number: int, after: int = 0) -> None:
    """Whatever waits for the disk fails, but for the first few times."""
    calls, fsync = [0], os.fsync

    def broken(file: int) -> None:
        calls[0] += 1
        if calls[0] > after:
            raise OSError(number, os.strerror(number))
        fsync(file)

    monkeypatch.setattr("os.fsync", broken)


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize(
    "command",
    [
        ["describe", *SMALL, "--save", "parts.npz"],
        ["new", "my_method", "--dir", "."],
        ["report", "{run}"],
        ["export", "{run}", "--out", "weights"],
        ["predict", "{run}", "{images}", "--out", "answers.npz"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_cannot_write_says_which_file(
    command: list[str], number: int, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    break_disk(monkeypatch, number)
    images = straight.parent / "images.npz"
    assert main([each.format(run=straight, images=images) for each in command]) == 2
    message = capfd.readouterr().err
    assert os.strerror(number) in message
    assert "expected a file that can be written" in message
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("after", [1, 9, 23, 31])
def test_a_run_goes_on_to_the_same_bits_when_there_is_space_again(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, after: int
) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as full:
        break_disk(full, errno.ENOSPC, after)
        assert main([*RUN, "hydra.run.dir=kept"]) == 2
    message = capfd.readouterr().err
    assert "No space left on device. Make space" in message
    if after == 1:
        assert main([*RUN, "hydra.run.dir=kept"]) == 0
    else:
        assert "continue with: fedmed run resume=kept" in message
        assert main(["run", "-q", "resume=kept"]) == 0
    assert trace(tmp_path / "kept") == trace(straight)
    assert not leftovers(tmp_path)
