"""Random numbers: one generator per (run seed, purpose, round, client); nothing else in fedmed may seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch  # it takes a second, which those who only read results need not wait

Key = str | int


def seed_of(seed: int, *key: Key) -> int:
    """A 63-bit seed that depends on every part of (seed, key) and on nothing else."""
    digest = blake2b(repr((seed, *key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *key: Key) -> torch.Generator:
    """A torch generator for one purpose, such as `generator(seed, "batches", round, client)`."""
    import torch

    return torch.Generator().manual_seed(seed_of(seed, *key))


def numpy_generator(seed: int, *key: Key) -> np.random.Generator:
    """A numpy generator for one purpose, such as `numpy_generator(seed, "partition")`."""
    return np.random.default_rng(seed_of(seed, *key))


@contextmanager
def seeded(seed: int, *key: Key) -> Iterator[None]:
    """Seeds torch's global generator inside the block (weight initialisation) and restores it after."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, *key))
        yield


def seed_dropout(seed: int, *key: Key, device: torch.device | None = None) -> None:
    """Seeds torch's global generators, from which dropout draws, for one client's round; the run restores them.

    device: of the net; a GPU draws from a generator of its own, and other numbers.
    """
    import torch

    torch.default_generator.manual_seed(seed_of(seed, "dropout", *key))
    if device is not None and device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed_of(seed, "dropout", *key))
