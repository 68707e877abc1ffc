"""Grids of small runs in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fedmed.campaign.grid import PlannedRun, grid

SMALL = ("clients=3", "rounds=3", "batch_size=16", "dataset.images=160", "dataset.test_images=40", "model.width=4")

METHOD = '''\
"""A method of the test's own."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from fedmed.method import Client, Method


@dataclass(frozen=True, kw_only=True)
class {name}(Method):
    """Does something odd in the second round."""

    def correct(self, client: Client) -> None:
        if client.round == 2:
            {odd}
'''

MakeGrid = Callable[..., list[PlannedRun]]
MakeMethod = Callable[[str, str], None]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeGrid:
    """small(*overrides, references=False): the runs of a grid over few images, in tmp_path/runs."""
    monkeypatch.chdir(tmp_path)

    def make(*overrides: str, references: bool = False) -> list[PlannedRun]:
        return grid([*SMALL, *overrides], root=tmp_path / "runs", with_references=references)

    return make


@pytest.fixture
def method(tmp_path: Path) -> MakeMethod:
    """method(name, odd): writes strategies/<name>.py with a method that does something odd in its second round."""

    def write(name: str, odd: str) -> None:
        (tmp_path / "strategies").mkdir(exist_ok=True)
        (tmp_path / "strategies" / f"{name}.py").write_text(
            METHOD.format(name=name.capitalize(), odd=odd), encoding="utf-8"
        )

    return write


def job(label: str, kind: str = "", **config: Any) -> PlannedRun:
    """A run that nobody makes."""
    content: Mapping[str, Any] = {"seed": 0, "torch_threads": 1, **config}
    return PlannedRun(config=content, key=label, label=label, kind=kind or label, directory=Path("runs") / label)
