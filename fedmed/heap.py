"""Memory that a training step frees is kept for the next one; and no garbage is looked for while a process begins."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

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


@contextmanager
def growing() -> Iterator[None]:
    """A block that makes much and drops little, in which no garbage is looked for.

    Python looks for it after every so many new objects, at the start of a process over and over among those that stay:
    a fifth of the time that a run takes to its first round.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


def import_for_good(module: str) -> ModuleType:
    """The module, imported under `growing`; what its import made stays, and is never looked at for garbage again."""
    if module not in sys.modules:
        with growing():
            import_module(module)
        gc.freeze()
    return sys.modules[module]


@contextmanager
def importing(*modules: str) -> Iterator[None]:
    """Imports modules in a thread beside a block that waits for other processes, so that nobody waits for the imports.

    It ends when both have ended.
    """
    thread = threading.Thread(target=lambda: [import_module(module) for module in modules])
    thread.start()
    try:
        yield
    finally:
        thread.join()
