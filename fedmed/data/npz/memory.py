"""How much memory there is for images: of the machine, or of the container that this runs in."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""A container's limit and use in bytes, where there is one (cgroup v2, v1)."""


def available() -> int:
    """Bytes that can be taken now: what the machine has left, or the container that this runs in."""
    rooms = [_machine()]
    for limit, used in LIMITS:
        with suppress(OSError, ValueError):  # no container, or one without a limit ("max")
            rooms.append(int(Path(limit).read_text(encoding="utf-8")) - int(Path(used).read_text(encoding="utf-8")))
    return max(0, min(rooms))


def _machine() -> int:
    """MemAvailable of Linux; elsewhere all of the machine's memory."""
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
