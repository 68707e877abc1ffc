"""Ways in which the bytes of a file are damaged."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
MARKS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\x93NUMPY")
"""Where headers of zip archives and of arrays begin."""


def damaged(content: bytes, rng: Rng) -> bytes:
    """The content with one to four kinds of damage."""
    for _ in range(int(rng.integers(1, 5))):
        if content:
            content = WAYS[int(rng.integers(len(WAYS)))](bytearray(content), rng)
    return content


def _cut(content: bytearray, rng: Rng) -> bytes:
    return bytes(content[: int(rng.integers(len(content)))])


def _behead(content: bytearray, rng: Rng) -> bytes:
    return bytes(content[int(rng.integers(len(content))) :])


def _flip(content: bytearray, rng: Rng) -> bytes:
    for at in rng.integers(0, len(content), int(rng.integers(1, 20))):
        content[at] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _overwrite(content: bytearray, rng: Rng) -> bytes:
    at, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    filling = (bytes(length), b"\xff" * length, rng.bytes(length))[int(rng.integers(3))]
    content[at : at + length] = filling
    return bytes(content)


def _repeat(content: bytearray, rng: Rng) -> bytes:
    start, end = sorted(int(at) for at in rng.integers(0, len(content) + 1, 2))
    return bytes(content[:end] + content[start:end] + content[end:])


def _leave_out(content: bytearray, rng: Rng) -> bytes:
    start, end = sorted(int(at) for at in rng.integers(0, len(content) + 1, 2))
    return bytes(content[:start] + content[end:])


def _lie(content: bytearray, rng: Rng) -> bytes:
    """Another number in a header: flags, packing, sizes, offsets, names."""
    mark = MARKS[int(rng.integers(len(MARKS)))]
    starts = [at for at in range(len(content)) if content.startswith(mark, at)]
    if not starts:
        return bytes(content)
    at = starts[int(rng.integers(len(starts)))] + int(rng.integers(4, 46))
    number = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, int(rng.integers(1 << 32)))[int(rng.integers(7))]
    size = (1, 2, 4)[int(rng.integers(3))]
    content[at : at + size] = struct.pack("<I", number)[:size]
    return bytes(content)


WAYS: tuple[Callable[[bytearray, Rng], bytes], ...] = (
    _cut,
    _behead,
    _flip,
    _flip,
    _overwrite,
    _repeat,
    _leave_out,
    _lie,
)
