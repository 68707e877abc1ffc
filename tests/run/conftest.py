"""Small runs in a folder of the test's own."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.build import experiment_from
from fedmed.experiment import Experiment
from fedmed.options.groups import GROUPS
from fedmed.run import run as run_experiment
from fedmed.terminal.progress import RunDisplay, make_run_display

SMALL = ("clients=3", "rounds=3", "batch_size=16")
IMAGES = ("dataset.images=160", "dataset.test_images=40")


class StopAfter(RunDisplay):
    """Interrupts a run after a round, as Ctrl-C would."""

    def __init__(self, round: int) -> None:
        self.last = round

    def round(self, row: Any) -> None:
        if row["round"] == self.last:
            raise KeyboardInterrupt


Run = Callable[..., dict[str, Any]]


@cache
def _composed(overrides: tuple[str, ...]) -> Experiment:
    return experiment_from(overrides)


def _experiment(overrides: tuple[str, ...], folder: Path) -> Experiment:
    """What the overrides make; composed once where it cannot depend on files of the test's own."""
    files = re.search(r"/|\.(py|npz|csv|json|yaml|pt|safetensors)\b|(path|weights)=", " ".join(overrides))
    own = files or any((folder / group.plural).exists() for group in GROUPS.values())
    return experiment_from(overrides) if own else _composed(overrides)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(name, *overrides, stop=k): a run on few images in tmp_path/name, interrupted after round k if given."""
    monkeypatch.chdir(tmp_path)

    def start(name: str, *overrides: str, stop: int | None = None) -> dict[str, Any]:
        images = () if any(o.startswith("dataset=npz") for o in overrides) else IMAGES
        width = () if any(o.startswith("model=") for o in overrides) else ("model.width=4",)
        config = _experiment((*SMALL, *images, *width, *overrides), tmp_path)
        if stop is None:
            return run_experiment(config, tmp_path / name, show=make_run_display(quiet=True))
        with pytest.raises(KeyboardInterrupt):
            run_experiment(config, tmp_path / name, show=StopAfter(stop))
        return {}

    return start


@pytest.fixture
def rounds(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """rounds(name): the rows of the rounds of the run tmp_path/name."""
    return lambda name: [
        json.loads(line) for line in (tmp_path / name / "rounds.jsonl").read_text(encoding="utf-8").splitlines()
    ]
