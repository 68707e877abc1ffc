"""Memory that a training step frees is kept for the next one."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

KEPT = 1 << 29
"""Bytes of free memory that may lie at the end of the heap, and size from which a block is mapped on its own."""


def keep_freed_memory() -> None:
    """Has glibc keep what is freed, up to 512 MB, for this process and those forked from it; elsewhere nothing.

    By default it gives large blocks back to the system after every step, which then clears each page anew.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(TRIM_THRESHOLD, KEPT)
        library.mallopt(MMAP_THRESHOLD, KEPT)
