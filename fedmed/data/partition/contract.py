"""The contract of a partition, the rows that it divides, and how often it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from fedmed.data.examples import Indices
from fedmed.errors import refuse
from fedmed.options.base import Options
from fedmed.rng import numpy_generator

DEFAULT_CLIENTS = 10
"""Number of clients where neither the user nor the data say one."""

MAX_DRAWS = 100
"""Draws before `divide` gives up on the smallest client."""


@dataclass(frozen=True, slots=True)
class ImageMetadata:
    """What is known of the images that clients may hold, the training and validation images, without their pixels.

    labels: (N,) int64 class per row, or (N, L) bool: findings, or the foreground classes present in the mask.
    train: (N,) which of the rows are training rows.
    site, patient: (N,) int64 per row, or None when unknown.
    split: TRAIN, VAL, TEST or UNUSED of every row of the dataset, of which these rows are those to train or
       validate on; None where these are all there are.
    """

    labels: NDArray[Any]
    train: NDArray[np.bool_]
    site: Indices | None = None
    patient: Indices | None = None
    split: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, rows: Indices) -> ImageMetadata:
        """The metadata of the chosen rows, as if there were no others."""
        site = None if self.site is None else self.site[rows]
        patient = None if self.patient is None else self.patient[rows]
        return ImageMetadata(self.labels[rows], self.train[rows], site, patient)


@dataclass(frozen=True, kw_only=True)
class Partition(Options, ABC):
    """Who holds what; every row goes to at most one client.

    min_size: fewest training images that a client may hold (images, at least 1); a smaller draw is drawn again.
    seed: seed of the division (null: the run's seed).
    """

    remedies: ClassVar[tuple[str, ...]] = ("use fewer clients",)

    min_size: Annotated[int, Ge(1)] = 1
    seed: int | None = None

    def number(self, images: ImageMetadata, clients: int | None) -> int:
        """How many clients there will be when the user asks for `clients` (None: did not say)."""
        return DEFAULT_CLIENTS if clients is None else clients

    @abstractmethod
    def draw(self, images: ImageMetadata, clients: int, rng: np.random.Generator) -> list[Indices]:
        """Sorted rows of `images` for each of `clients` clients; UserError where the partition is not defined."""


def divide(partition: Partition, images: ImageMetadata, clients: int | None, seed: int) -> list[Indices]:
    """Sorted rows of every client, each with at least `partition.min_size` training rows.

    clients: how many, or None for what the partition makes of the data. seed: the run's seed.
    Draws again, up to MAX_DRAWS times, while a client is too small (Flower Datasets' rule), then raises UserError.
    """
    count = partition.number(images, clients)
    _check_count(partition, images, count)
    rng = numpy_generator(seed if partition.seed is None else partition.seed, "partition")
    smallest, holder = -1, 0
    for _ in range(MAX_DRAWS):
        before = rng.bit_generator.state
        parts = partition.draw(images, count, rng)
        sizes = [int(images.train[part].sum()) for part in parts]
        if min(sizes) >= partition.min_size:
            return parts
        if min(sizes) > smallest:
            smallest, holder = min(sizes), sizes.index(min(sizes))
        if rng.bit_generator.state == before:  # nothing was drawn, so drawing again changes nothing
            break
    expected = f"at least {partition.min_size} training images at each of {count} clients"
    raise refuse("partition.min_size", expected, f"{smallest} at client {holder} in the best draw", _remedy(partition))


def _remedy(partition: Partition) -> str:
    """What to do about clients that are too small, as a sentence; to lower `min_size` only where it can be lowered."""
    ways = [*partition.remedies, *(["lower partition.min_size"] if partition.min_size > 1 else [])]
    sentence = " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))
    return f"{sentence[0].upper()}{sentence[1:]}."


def _check_count(partition: Partition, images: ImageMetadata, clients: int) -> None:
    if clients < 1:
        raise refuse("clients", "at least 1", clients)
    available = int(images.train.sum())
    if clients * partition.min_size > available:
        most = f"at most {available // partition.min_size}, as there are {available} training images"
        fix = f"Use fewer clients{' or lower partition.min_size' if partition.min_size > 1 else ''}."
        raise refuse("clients", f"{most} and partition.min_size is {partition.min_size}", clients, fix)
