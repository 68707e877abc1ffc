"""A loss and an augmentation of the user's own: what is taken, and what is refused before anything trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fedmed.config.build import experiment_from
from fedmed.data.examples import Examples
from fedmed.errors import UserError
from fedmed.run.own_code import own_loss
from fedmed.run.parts import build_parts
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task

FILE = """\
import torch
from torch import nn
from torch.nn import CrossEntropyLoss
import torch.nn.functional as F

def entries(logits, y): return F.cross_entropy(logits, y.long(), reduction="none")
def three(logits, y, seen): return entries(logits, y)
def one(logits): return logits
def mean(logits, y): return entries(logits, y).mean()
def detached(logits, y): return entries(logits.detach(), y)
def broken(logits, y): return {}["a"]
def text(logits, y): return "x"
def nan(logits, y): return entries(logits, y) * float("nan")
same = lambda logits, y: entries(logits, y)

class Focal(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma
    def forward(self, logits, y):
        loss = entries(logits, y)
        return (1 - torch.exp(-loss)) ** self.gamma * loss

class Needs(nn.Module):
    def __init__(self, gamma):
        super().__init__()

class Mean(nn.Module):
    def forward(self, logits, y): return entries(logits, y).mean()

focal = Focal(3.0)
unreduced: nn.Module = CrossEntropyLoss(reduction="none")
reduced = CrossEntropyLoss()
"""

TASKS: dict[str, tuple[Task, torch.Tensor]] = {
    "multiclass": (MultiClass(classes=3), torch.tensor([0, 2, 1])),
    "segmentation": (Segmentation(classes=3), torch.zeros(3, 5, 5, dtype=torch.uint8)),
}


def examples(y: torch.Tensor) -> Examples:
    return Examples(torch.zeros(len(y), 1, 5, 5), y)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(FILE, encoding="utf-8")
    return tmp_path / "own.py"


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", ["entries", "Focal", "focal"])
def test_functions_modules_and_classes_of_modules_are_taken(file: Path, name: str, kind: str) -> None:
    task, y = TASKS[kind]
    loss, logits = own_loss(f"{file}:{name}", task, examples(y)), torch.randn(3, 3, *y.shape[1:])
    plain = F.cross_entropy(logits, y.long(), reduction="none")
    gamma = {"entries": 0, "Focal": 2, "focal": 3}[name]
    torch.testing.assert_close(loss(logits, y), (1 - torch.exp(-plain)) ** gamma * plain)


@pytest.mark.parametrize("name", ["unreduced", "CrossEntropyLoss"])
def test_a_loss_of_torch_that_reduces_by_default_is_made_not_to(file: Path, name: str) -> None:
    task, y = TASKS["multiclass"]
    assert own_loss(f"{file}:{name}", task, examples(y))(torch.randn(3, 3), y).shape == y.shape


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("three", "got TypeError: three() missing 1 required positional argument: 'seen', on logits (2, 3) and y (2,)"),
        ("one", "one() takes 1 positional argument but 2 were given"),
        ("mean", "got a tensor of shape () for y of shape (2,). Leave it unreduced"),
        ("Mean", "got a tensor of shape () for y of shape (2,)"),
        ("reduced", "got a tensor of shape () for y of shape (2,)"),
        ("Needs", "a class that can be made without arguments, got TypeError"),
        ("detached", "expected a loss that depends on the logits"),
        ("broken", "KeyError: 'a'"),
        ("text", "got str"),
        ("nan", "expected finite values on logits around 0, got [nan, nan]"),
        ("same", "a lambda"),
    ],
)
def test_what_cannot_be_a_loss_is_refused_by_name_before_training(file: Path, name: str, message: str) -> None:
    task, y = TASKS["multiclass"]
    with pytest.raises(UserError) as raised:
        own_loss(f"{file}:{name}", task, examples(y))
    assert f"loss={file}:{name}: expected" in str(raised.value)
    assert message in str(raised.value)


def test_findings_are_tried_as_they_are(file: Path) -> None:
    (file.parent / "bce.py").write_text(
        "from torch.nn import BCEWithLogitsLoss as Bce\nbce = Bce(reduction='none')\n", encoding="utf-8"
    )
    y = torch.ones(2, 4)
    assert own_loss(f"{file.parent / 'bce.py'}:bce", MultiLabel(classes=4), examples(y))(y, y).shape == (2, 4)


@pytest.mark.parametrize("name", ["Focal", "focal"])
def test_a_run_trains_with_it(run: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "own.py").write_text(FILE, encoding="utf-8")
    final = run(name, f"loss=own.py:{name}", "rounds=1", "engine=pool")
    assert final["test.loss"] < 1.7
    with pytest.raises(UserError, match=r"own.py:mean: expected"):
        run("refused", "loss=own.py:mean")
    assert not (tmp_path / "refused").exists()


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
    ("body", "message"),
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
def test_what_is_no_augmentation_is_refused_before_training(body: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}{body}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        build_parts(experiment_from([*SMALL, f"augment={tmp_path}/mine.py"]))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "nan", "1", "true"])
def test_one_that_varies_images_is_taken_whatever_its_file_is_called(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(f"{HEAD}{APPLY}return x.flip(3), y\n", encoding="utf-8")
    assert build_parts(experiment_from([*SMALL, f"augment={tmp_path}/{name}.py"])).trainer.training.augment is not None
