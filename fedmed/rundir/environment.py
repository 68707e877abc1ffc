"""What a run ran on: versions, machine, commit, and command line; nothing that names a person."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote

import torch

from fedmed import __version__

PACKAGES = ("torch", "flwr", "numpy", "monai")


def environment() -> dict[str, object]:
    """The environment of this process: text and numbers; memory in GiB; None for what is not known."""
    return {
        "fedmed": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memory": _memory(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_initialized() else None,
        "torch_threads": torch.get_num_threads(),
        "commit": _commit(Path(__file__).resolve().parents[2]),
        "command": _command(sys.argv),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """The processor's model name; the architecture where the system does not tell."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # not a POSIX system
        return None
    return round(size / 2**30, 1)


def _commit(root: Path) -> str | None:
    """The commit of the checkout at `root`, `-dirty` where files differ from it; None without one or without git."""
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, encoding="ascii", check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _command(arguments: list[str]) -> str:
    """The command line as one would type it, with the program's name for its path and `~` for the home folder."""
    if not arguments:
        return ""
    path = Path(arguments[0])
    program = f"python -m {path.parent.name}" if path.name == "__main__.py" else quote(path.name)
    command = " ".join([program, *map(quote, arguments[1:])])
    return re.sub(rf"{re.escape(str(Path.home()))}(?=/|\s|'|$)", "~", command)
