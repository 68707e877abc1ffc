"""How many cores there are, and how many workers keep them busy."""

from __future__ import annotations

import os


def cores() -> int:
    """How many cores this process may use, which is what is left to it of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers_for(threads: int) -> int:
    """How many workers of so many threads each keep every core busy, and one at least."""
    return max(1, cores() // threads)
