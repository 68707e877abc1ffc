"""An augmentation of the user's own is tried before anything trains, and named where it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.config.build import experiment_from
from fedmed.errors import UserError
from fedmed.run.parts import build_parts

SMALL = ("dataset.images=40", "dataset.test_images=10", "dataset.side=8", "dataset.classes=3", "clients=2")

HEAD = """\
from dataclasses import dataclass
from fedmed.data.augment import Augment

@dataclass(frozen=True, kw_only=True)
class Mine(Augment):
    "Mine."
"""
APPLY = "    def apply(self, x, y, generator):\n        "


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"{APPLY}return x[:1], y[:1]", "augment=Mine, apply: expected images (2, 1, 8, 8)"),
        (f"{APPLY}raise ValueError('no')", "ValueError: no"),
        (f"{APPLY}return x[..., :4], y", "augment=Mine, apply: expected images that the model takes"),
        (f"{APPLY}return x / 0, y", "augment=Mine, apply: expected finite images"),
        (f"{APPLY}return x, y + 1", "expected the labels that it was given"),
        ("    apply = 3", "augment=Mine, apply: expected"),
        (f"    moves: int = 3\n{APPLY}return x, y", "augment=Mine, moves: expected True or False, got int"),
        (f"    def moves(self):\n        return 1\n{APPLY}return x, y", "moves: expected True or False, got method"),
        (
            "    def aply(self, x, y, generator):\n        return x, y",
            "a class with apply, got one without. It has aply",
        ),
    ],
)
def test_what_is_no_augmentation_is_refused_before_training(body: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}{body}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        build_parts(experiment_from([*SMALL, f"augment={tmp_path}/mine.py"]))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "nan", "1", "true"])
def test_one_that_varies_images_is_taken_whatever_its_file_is_called(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(f"{HEAD}{APPLY}return x.flip(3), y\n", encoding="utf-8")
    assert build_parts(experiment_from([*SMALL, f"augment={tmp_path}/{name}.py"])).trainer.training.augment is not None
