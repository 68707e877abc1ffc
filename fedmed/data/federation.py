"""A federation of images that are in memory: own tensors, without a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from fedmed.data.examples import TEST, TRAIN, VAL, Dataset, Examples, Table
from fedmed.errors import Fault, UserError, refuse
from fedmed.options.base import IN_MEMORY

Labelled = tuple[Any, Any]
"""Images (N, H, W), (N, C, H, W) or (N, C, D, H, W), uint8 in 0..255 or floats, and labels; tensors or arrays."""


@dataclass(frozen=True, kw_only=True)
class Federation(Dataset):
    """Images that are in memory, a pair (images, labels) for every client.

    Images are (N, H, W) or (N, C, H, W), and volumes (N, C, D, H, W), uint8 in 0..255 or floating point. Labels are
    (N,) class numbers for multiclass, (N, L) of 0 and 1 for multilabel, and for segmentation class numbers (N, H, W),
    of volumes (N, D, H, W); tensors or arrays.
    Raises `UserError` with all that is wrong with them.

    train: a pair for each client, in order.
    test: the server's pair, or the fraction of the clients' images that it gets.
    val: a pair for each client, or the fraction of the clients' images that they validate on.
    task: multiclass, multilabel or segmentation.
    classes: how many classes, findings or mask values there are (0: as many as the labels show).
    class_names: their names, in order (empty: none).
    digest: of all images and labels, which stands for them in the file of a run; filled in.
    """

    divided: ClassVar[bool] = True

    train: Sequence[Labelled] = field(default=(), repr=False, compare=False, metadata=IN_MEMORY)
    test: Any = field(default=0.2, repr=False, compare=False, metadata=IN_MEMORY)
    val: Any = field(default=0.1, repr=False, compare=False, metadata=IN_MEMORY)
    task: Literal["multiclass", "multilabel", "segmentation"] = "multiclass"
    classes: int = 0
    class_names: tuple[str, ...] = ()
    digest: str = ""

    def __post_init__(self) -> None:
        """Checks the pairs, and takes their digest."""
        if not self.train and self.digest:
            return  # as the file of a run has it
        if faults := list(self._faults()):
            raise UserError(*faults)
        object.__setattr__(self, "digest", self._digest())
        object.__setattr__(self, "classes", self.classes or self._shown())

    def load(self) -> Table:
        """All images as one table; each client's are a site."""
        if not self.train:
            fix = "Continue it from Python: fedmed.load(directory).resume(experiment)."
            raise refuse("dataset", "the images that the run was given in Python", "their digest alone", fix)
        parts = [(images, labels, site, split) for split, site, (images, labels) in self._parts()]
        return Table(
            examples=Examples(
                torch.cat([_pixels(images) for images, _, _, _ in parts]),
                torch.cat([self._labels(labels) for _, labels, _, _ in parts]),
            ),
            task=self.task,
            classes=self.classes,
            split=np.concatenate([np.full(len(images), split, np.int8) for images, _, _, split in parts]),
            site=np.concatenate([np.full(len(images), site, np.int64) for images, _, site, _ in parts]),
            class_names=self.class_names,
            site_names=(*(f"client {client}" for client in range(len(self.train))), "server"),
        )

    def _parts(self) -> Iterator[tuple[int, int, Labelled]]:
        """Every pair with its part and its site; the server's images are a site of their own."""
        yield from ((TRAIN, client, pair) for client, pair in enumerate(self.train))
        if not isinstance(self.val, float):
            yield from ((VAL, client, pair) for client, pair in enumerate(self.val))
        if not isinstance(self.test, float):
            yield TEST, len(self.train), self.test

    def _faults(self) -> Iterator[Fault]:
        if not self.train:
            yield Fault("Federation.train", "a pair (images, labels) for each client", "none")
        for name, share in (("val", self.val), ("test", self.test)):
            if isinstance(share, float) and not 0 <= share < 1:
                yield Fault(f"Federation.{name}", "a fraction >= 0 and < 1, or images", str(share))
        if not isinstance(self.val, float) and len(self.val) != len(self.train):
            yield Fault("Federation.val", f"a pair for each of {len(self.train)} clients", str(len(self.val)))
        shapes = {tuple(_pixels(pair[0]).shape[1:]) for _, _, pair in self._parts()}
        if len(shapes) > 1:
            got = " and ".join(map(str, sorted(shapes)))
            yield Fault("Federation", "images (C, H, W) of one shape", got, "Resize them.")
        for part, site, (images, labels) in self._parts():
            where = {TRAIN: f"Federation.train[{site}]", VAL: f"Federation.val[{site}]", TEST: "Federation.test"}[part]
            yield from _pair_faults(where, self.task, _pixels(images), self._labels(labels))

    def _labels(self, labels: Any) -> Tensor:
        kinds = {"multiclass": torch.int64, "multilabel": torch.float32, "segmentation": torch.uint8}
        return _tensor(labels).to(kinds[self.task])

    def _shown(self) -> int:
        """How many classes the labels show."""
        labels = [self._labels(pair[1]) for _, _, pair in self._parts()]
        if self.task == "multilabel":
            return labels[0].shape[1]
        return 1 + int(max(part.max() for part in labels if part.numel()))

    def _digest(self) -> str:
        found = blake2b(repr([share for share in (self.val, self.test) if isinstance(share, float)]).encode())
        for part, site, pair in self._parts():
            found.update(f"{part} {site}".encode())
            for tensor in map(_tensor, pair):
                found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
        return found.hexdigest()[:32]


def _pair_faults(where: str, task: str, images: Tensor, labels: Tensor) -> Iterator[Fault]:
    shape = (len(images), *images.shape[2:]) if task == "segmentation" else (len(images),)
    got = tuple(labels.shape[:1] if task == "multilabel" else labels.shape)
    if got != shape or (task == "multilabel" and labels.dim() != 2):
        yield Fault(where, f"labels of {task} for {len(images)} images", f"labels {tuple(labels.shape)}")
    if images.is_floating_point() and not images.isfinite().all():
        yield Fault(where, "finite pixels", "NaN or infinite ones", "Replace them, or leave those images out.")
    if not len(images):
        yield Fault(where, "one image at least", "none", "Leave the client out.")


def _pixels(images: Any) -> Tensor:
    """Images as (N, C, H, W), or volumes as (N, C, D, H, W), uint8 or float32."""
    found = _tensor(images)
    if found.dim() not in (3, 4, 5):
        fix = "Images are (N, H, W) or (N, C, H, W), volumes (N, C, D, H, W)."
        raise refuse("Federation", "images", f"a tensor of shape {tuple(found.shape)}", fix)
    found = found[:, None] if found.dim() == 3 else found
    return found if found.dtype == torch.uint8 else found.float()


def _tensor(values: Any) -> Tensor:
    """A tensor on the processor, which shares memory where it can."""
    found = values.detach().cpu() if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
    return found.contiguous()
