"""Which pixels and labels lie on a device, and which are sent when they are needed."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed import devices
from fedmed.client.images import augmented, chosen, labelled, normaliser_on, on_device
from fedmed.client.spec import ClientData
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.data.normalise import Normalise, normaliser
from fedmed.errors import UserError
from tests.fake_device import Elsewhere, elsewhere, home
from tests.toys import TOYS, Held, multilabel

SHARES = tuple(replace(share, own_val=None) for share in TOYS["multiclass"].shares)
TRAIN, WHOLE = SHARES[0].train.x.nbytes, sum(e.x.nbytes for e in (SHARES[0].train, SHARES[0].val, SHARES[0].test))


def where(share: ClientData) -> str:
    """One letter per tensor, capital for those on the device: pixels and labels of train, val, test."""
    parts = (share.train, share.val, share.test)
    return "".join("xX"[isinstance(e.x, Elsewhere)] + "yY"[isinstance(e.y, Elsewhere)] for e in parts)


def test_a_processor_sees_the_very_same() -> None:
    share = SHARES.__getitem__
    assert on_device(share, devices.PROCESSOR, 1) is share
    assert normaliser_on(Tensor.float, devices.PROCESSOR) is Tensor.float
    assert labelled(SHARES[0].train, devices.PROCESSOR) is SHARES[0].train


@pytest.mark.parametrize(
    ("room", "first", "second"),
    [
        (10 * WHOLE, "XYXYXY", "XYXYXY"),
        (WHOLE + TRAIN, "XYXYXY", "XYxYxY"),
        (WHOLE, "XYXYXY", "xYxYxY"),
        (TRAIN, "XYxYxY", "xYxYxY"),
        (0, "xYxYxY", "xYxYxY"),
    ],
)
def test_pixels_stay_there_while_there_is_room_and_labels_always(
    room: int, first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(devices, "room", lambda device, sharers: asked.append(sharers) or room)
    with elsewhere() as device:
        share = on_device(SHARES.__getitem__, device, 3)
        assert asked == []
        assert [where(share(client)) for client in (0, 1)] == [first, second]
        assert share(0) is share(0)
        assert asked == [3]


def test_truth_and_audit_go_along() -> None:
    train = SHARES[0].train
    held = Held(train, train, train, audit=train, truth=train.y)
    with elsewhere() as device:
        share = on_device(lambda client: held, device, 1)(0)
        assert isinstance(share.truth, Elsewhere)
        assert share.audit is not None
        assert isinstance(share.audit.y, Elsewhere)


@pytest.mark.parametrize("room", [0, 10**6])
def test_rows_are_chosen_where_they_are(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "room", lambda device, sharers: room)
    plain = multilabel(6)
    given = Examples(plain.x, plain.y, plain.y > 0)
    index = torch.tensor([4, 0, 4])
    with elsewhere() as device:
        there = on_device(lambda client: Held(given, given, given), device, 1)(0).train
        found = chosen(there, index)
        assert isinstance(found.x, Elsewhere) == bool(room)
        assert isinstance(found.seen, Elsewhere)
        for name in ("x", "y", "seen"):
            assert torch.equal(home(getattr(found, name)), getattr(given[index], name))
    assert torch.equal(chosen(given, index).y, given.y[index])


@pytest.mark.parametrize("by", ["none", "dataset", "image"])
def test_pixels_arrive_normalised(by: str) -> None:
    pixels = (TOYS["multiclass"].shares[0].train.x * 200).to(torch.uint8)
    normalise = normaliser(by, [pixels])  # type: ignore[arg-type]
    with elsewhere() as device:
        for given in (pixels, pixels.to(device)):
            found = normaliser_on(normalise, device)(given)
            assert isinstance(found, Elsewhere)
            assert torch.equal(home(found), normalise(pixels))
    assert isinstance(normalise, Normalise)


@dataclass(frozen=True, kw_only=True)
class Wrong(Augment):
    """Returns what it is given."""

    gives: Any = None

    def apply(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Any:
        return self.gives(x, y)


@pytest.mark.parametrize(
    "gives",
    [
        lambda x, y: x,
        lambda x, y: None,
        lambda x, y: {}["lost"],
        lambda x, y: (x[:1], y),
        lambda x, y: (x, y[:1]),
        lambda x, y: (x.double(), y),
        lambda x, y: (x.mean(1), y),
        lambda x, y: (x[..., 0], y),
        lambda x, y: (x[:, :1], y),
    ],
)
def test_an_augmentation_that_gives_anything_but_a_batch_is_refused_by_name(gives: Any) -> None:
    x, y = torch.zeros(3, 2, 4, 4), torch.zeros(3)
    with pytest.raises(UserError, match=r"augment=Wrong, apply: expected images \(3, 2, 4, 4\) and labels \(3,\), got"):
        augmented(Wrong(gives=gives), x, y, torch.Generator())
    smaller = Wrong(gives=lambda x, y: (x[..., :2], y))
    assert augmented(smaller, x, y, torch.Generator())[0].shape == (3, 2, 4, 2)


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda x, y: (x, y.double()), r"labels \(3,\) torch.float32, got"),
        (lambda x, y: (x, y[:, None]), r"labels \(3,\) torch.float32, got"),
        (lambda x, y: (x, y + 7), "the labels that it was given"),
    ],
)
def test_an_augmentation_that_changes_labels_is_refused_by_name(gives: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"augment=Wrong, apply: expected.*{message}"):
        augmented(Wrong(gives=gives), torch.zeros(3, 2, 4, 4), torch.zeros(3), torch.Generator())


def test_masks_move_with_their_images() -> None:
    x, masks = torch.zeros(3, 2, 4, 4), torch.zeros(3, 4, 4)
    cut = Wrong(gives=lambda x, y: (x[..., :2], y[..., :2]))
    assert augmented(cut, x, masks, torch.Generator())[1].shape == (3, 4, 2)
    with pytest.raises(UserError, match=r"labels \(3, 4, 2\)"):
        augmented(Wrong(gives=lambda x, y: (x[..., :2], y)), x, masks, torch.Generator())
