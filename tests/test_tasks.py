import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.tasks import TASKS, MultiClass, MultiLabel, Segmentation, Task, soft_dice_loss

CLASS, LABEL, MASK = MultiClass(classes=3), MultiLabel(classes=3), Segmentation(classes=3)


def given(task: Task, rows: int = 4) -> tuple[Tensor, Tensor]:
    """Logits and labels."""
    g = torch.Generator().manual_seed(0)
    shape = (rows, 3, 5, 5) if task is MASK else (rows, 3)
    logits = torch.randn(shape, generator=g, requires_grad=True)
    if task is CLASS:
        return logits, torch.tensor([0, 1, 2, 1])[:rows]
    if task is LABEL:
        return logits, torch.randint(2, (rows, 3), generator=g).float()
    return logits, torch.randint(3, (rows, 5, 5), generator=g, dtype=torch.uint8)


def test_tasks_are_known_by_kind() -> None:
    assert {"multiclass": MultiClass, "multilabel": MultiLabel, "segmentation": Segmentation} == TASKS
    assert CLASS.outputs == 3


def test_classification_losses_are_the_usual_ones() -> None:
    logits, y = given(CLASS)
    log_p = logits.softmax(1).log()
    assert CLASS.loss(logits, y, None).item() == pytest.approx(-log_p[range(4), y].mean().item(), rel=1e-6)
    logits, y = given(LABEL)
    p = logits.sigmoid()
    wanted = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    assert LABEL.loss(logits, y, None).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_segmentation_adds_one_minus_dice_to_cross_entropy() -> None:
    logits, y = given(MASK)
    p = logits.softmax(1)
    dice = []
    for c in (1, 2):
        truth = (y == c).float()
        dice.append((2 * (p[:, c] * truth).sum() / (p[:, c].sum() + truth.sum())).item())
    wanted = F.cross_entropy(logits, y.long()).item() + 1 - sum(dice) / 2
    assert MASK.loss(logits, y, None).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("task", [CLASS, LABEL, MASK], ids=lambda task: task.kind)
def test_all_seen_is_the_same_as_no_mask(task: Task) -> None:
    logits, y = given(task)
    with_mask = task.loss(logits, y, torch.ones(y.shape, dtype=torch.bool))
    torch.testing.assert_close(with_mask, task.loss(logits, y, None))


@pytest.mark.parametrize("task", [CLASS, LABEL, MASK], ids=lambda task: task.kind)
def test_unseen_entries_neither_count_nor_pull(task: Task) -> None:
    logits, y = given(task)
    seen = torch.ones(y.shape, dtype=torch.bool)
    seen[1:3] = False
    kept = torch.tensor([0, 3])
    torch.testing.assert_close(task.loss(logits, y, seen), task.loss(logits[kept], y[kept], None))
    task.loss(logits, y, seen).backward()
    assert not logits.grad[1:3].any()
    assert logits.grad[kept].any()


@pytest.mark.parametrize("task", [CLASS, LABEL, MASK], ids=lambda task: task.kind)
def test_nothing_seen_is_exactly_zero_with_a_zero_gradient(task: Task) -> None:
    logits, y = given(task)
    loss = task.loss(logits, y, torch.zeros(y.shape, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_one_flag_per_image_hides_its_whole_mask() -> None:
    logits, y = given(MASK)
    seen = torch.tensor([True, False, True, True])[:, None, None]
    torch.testing.assert_close(MASK.loss(logits, y, seen), MASK.loss(logits, y, seen.expand_as(y)))


@pytest.mark.parametrize("task", [CLASS, LABEL, MASK], ids=lambda task: task.kind)
def test_a_loss_of_the_users_own_replaces_the_usual_one(task: Task) -> None:
    logits, y = given(task)
    own = type(task)(classes=3, entrywise=lambda logits, y: y.float() + 1)
    assert own.loss(logits, y, None).item() == pytest.approx(y.float().mean().item() + 1)
    seen = torch.zeros(y.shape, dtype=torch.bool)
    seen[0] = True
    assert own.loss(logits, y, seen).item() == pytest.approx(y[0].float().mean().item() + 1)
    assert own == task


@pytest.mark.parametrize("task", [CLASS, LABEL, MASK], ids=lambda task: task.kind)
def test_probabilities(task: Task) -> None:
    logits, _ = given(task)
    p = task.probabilities(logits)
    assert p.shape == logits.shape
    assert ((p > 0) & (p < 1)).all()
    total = p.sum(1)
    assert torch.allclose(total, torch.ones_like(total)) == (task is not LABEL)


def test_dice_skips_classes_that_are_not_in_view() -> None:
    logits, y = given(MASK)
    y = y * (y != 2)
    only_one = soft_dice_loss(logits, y, None)
    p, truth = logits.softmax(1)[:, 1], (y == 1).float()
    wanted = 1 - 2 * (p * truth).sum() / (p.sum() + truth.sum())
    torch.testing.assert_close(only_one, wanted)
    assert soft_dice_loss(logits, torch.zeros_like(y), None) == 0
