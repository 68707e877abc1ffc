"""Clients' images on the device of their trainer: kept there as long as they fit, else sent batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmed import devices
from fedmed.client.spec import ClientData
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.data.normalise import Normalise
from fedmed.errors import UserError, refuse

APPLY = "apply(x, y, generator) returns as many images and labels; see fedmed.data.augment.Augment."

DataOfClient = Callable[[int], ClientData]
Normalisation = Callable[[Tensor], Tensor]


def augmented(augment: Augment, x: Tensor, y: Tensor, views: torch.Generator) -> tuple[Tensor, Tensor]:
    """Varied images and labels of a batch; `UserError` where there are not as many, or of other channels."""
    name, expected = type(augment).__name__, f"images {tuple(x.shape)} and labels {tuple(y.shape)}"
    try:
        new_x, new_y = augment.apply(x, y, views)
        got = f"{tuple(new_x.shape)} {new_x.dtype} and {tuple(new_y.shape)} {new_y.dtype}"
    except UserError:
        raise
    except Exception as error:
        raise refuse(f"augment={name}, apply", expected, f"{type(error).__name__}: {error}", APPLY) from error
    masks = y.dim() > 2
    shape = (len(y), *new_x.shape[2:]) if masks else tuple(y.shape)
    if new_x.shape[:2] != x.shape[:2] or new_x.dtype != x.dtype or new_x.dim() != x.dim() or len(new_y) != len(y):
        raise refuse(f"augment={name}, apply", expected, got, APPLY)
    if tuple(new_y.shape) != shape or new_y.dtype != y.dtype:
        raise refuse(f"augment={name}, apply", f"images, and labels {shape} {y.dtype}", got, APPLY)
    if not masks and new_y is not y and not torch.equal(new_y, y):
        raise refuse(f"augment={name}, apply", "the labels that it was given", "others", APPLY)
    return new_x, new_y


@dataclass(frozen=True, slots=True)
class DeviceData:
    """What one client holds, its labels on a device and its pixels too where there is room."""

    train: Examples
    val: Examples
    test: Examples
    audit: Examples | None
    truth: Tensor | None
    own_val: Examples | None


def on_device(share: DataOfClient, device: torch.device, sharers: int) -> DataOfClient:
    """The clients' shares as a device sees them, each sent when it is first asked for; on a processor as they are.

    sharers: how many processes put images on the device. Room is measured once, when the first share is asked for.
    """
    return share if device.type == "cpu" else _DevicePlacement(share, device, sharers)


def normaliser_on(normalise: Normalisation, device: torch.device) -> Normalisation:
    """The normalisation, of pixels that may still have to go to the device; on a processor as it is."""
    if device.type == "cpu":
        return normalise
    there = normalise.to(device) if isinstance(normalise, Normalise) else normalise
    return lambda x: there(_sent(x, device))


def labelled(examples: Examples, device: torch.device) -> Examples:
    """The examples with their labels on the device, and their pixels where they are."""
    if examples.y.device.type == device.type:
        return examples
    seen = devices.moved(examples.seen, device)
    return Examples(examples.x, devices.moved(examples.y, device), seen, examples.spacing)


def chosen(examples: Examples, index: Tensor) -> Examples:
    """The rows `index` (B,), which is on the processor, of examples whose pixels or labels may be on a device."""
    if examples.y.device.type == "cpu":
        return examples[index]
    there = devices.moved(index, examples.y.device)
    x = examples.x[index if examples.x.device.type == "cpu" else there]
    return Examples(x, examples.y[there], None if examples.seen is None else examples.seen[there])


class _DevicePlacement:
    """What clients hold, by client, once it is on the device.

    sharers: how many processes put images there; each fills its part of the room that was free at first.
    """

    def __init__(self, share: DataOfClient, device: torch.device, sharers: int) -> None:
        self._share, self._device, self._sharers = share, device, sharers
        self._held: dict[int, DeviceData] = {}
        self._room: int | None = None

    def __call__(self, client: int) -> DeviceData:
        if client not in self._held:
            share = self._share(client)
            train, val, test = map(self._there, (share.train, share.val, share.test))
            audit = None if share.audit is None else self._there(share.audit)
            own = None if share.own_val is None else self._there(share.own_val)
            self._held[client] = DeviceData(train, val, test, audit, devices.moved(share.truth, self._device), own)
        return self._held[client]

    def _there(self, examples: Examples) -> Examples:
        if self._room is None:
            self._room = devices.room(self._device, self._sharers)
        there, size = labelled(examples, self._device), examples.x.nbytes
        if size > self._room:
            return there
        self._room -= size
        return Examples(devices.moved(examples.x, self._device), there.y, there.seen, there.spacing)


def _sent(x: Tensor, device: torch.device) -> Tensor:
    """Pixels on the device, or on their way: copied from pinned memory, the processor does not wait for them."""
    if x.device.type == device.type:
        return x
    return devices.moved(x.pin_memory() if device.type == "cuda" else x, device)
