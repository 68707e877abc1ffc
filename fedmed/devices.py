"""Where a run computes: what a device is called, which there are, and how tensors get there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from fedmed.errors import refuse

PROCESSOR = torch.device("cpu")

FILLED = 0.5
"""Share of a GPU's free memory that clients' images may fill; the rest is for nets, steps and clients' states."""

SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "torch.set_num_threads": (torch.get_num_threads, torch.set_num_threads),
    "torch.set_default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.use_deterministic_algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch.set_float32_matmul_precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
}
"""Settings of torch that are everybody's, by the function that changes them: how to read them and how to set them."""

Nested = TypeVar("Nested")
"""A tensor, another value, or nested dicts of these."""


def device_of(name: str) -> torch.device:
    """The device of `auto` (a GPU where there is one), `cpu`, `cuda` (any GPU: a pool takes all) or `cuda:<number>`.

    Raises `UserError` where this machine has no such device.
    """
    kind, _, number = name.partition(":")
    if kind == "cpu" or (kind == "auto" and not gpus()):
        return torch.device("cpu")
    if not gpus():
        fix = "Set device=cpu, or auto; fedmed doctor shows what torch finds. A GPU needs torch's build for CUDA."
        raise refuse("device", "a GPU that torch can use", "none", fix)
    if number and int(number) >= len(gpus()):
        there = ", ".join(f"cuda:{i} ({gpu})" for i, gpu in enumerate(gpus()))
        raise refuse("device", "a GPU of this machine", name, f"There is {there}.")
    return torch.device("cuda", int(number)) if number else torch.device("cuda")


def gpus() -> list[str]:
    """The names of the GPUs that torch can use, in order of their number."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.cuda.get_device_name(i) for i in range(there)]


def spread(device: torch.device) -> list[torch.device]:
    """The devices that workers share: every GPU for one without a number, else the device itself."""
    if str(device) != "cuda":
        return [device]
    return [torch.device("cuda", i) for i in range(torch.cuda.device_count())]


def moved(value: Nested, device: torch.device) -> Nested:
    """The same with all tensors on the device; those that are there already are the very same."""
    there: Any = _moved(value, device)
    return there  # type: ignore[no-any-return]


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=device.type != "cpu")
    if isinstance(value, Mapping):
        return {name: _moved(item, device) for name, item in value.items()}
    return value


def room(device: torch.device, sharers: int) -> int:
    """Bytes of images that one of so many processes on a device may put there, as much as is free now."""
    if device.type != "cuda":
        return sys.maxsize
    free, _ = torch.cuda.mem_get_info(device)
    return int(free * FILLED / sharers)


def drawn_from(device: torch.device) -> list[int]:
    """The number of the GPU whose random numbers a run on the device changes, if any."""
    return [int(str(device).partition(":")[2] or 0)] if device.type == "cuda" else []


def compute_exactly(device: torch.device) -> None:
    """Has this process compute float32 on a GPU as such (not as TF32), and with convolutions that repeat their bits.

    Some of torch's sums on a GPU still add up in any order.
    """
    if device.type == "cuda":
        cudnn = torch.backends.cudnn
        cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = False, True, False


@contextmanager
def settings_kept(where: str) -> Iterator[None]:
    """Puts back what a block changes of the settings of torch that move everybody's last bits, and refuses it.

    where: whose code runs in the block. Raises `UserError` naming the function of torch that was called.
    """
    before = [get() for get, _ in SETTINGS.values()]
    try:
        yield
    finally:
        changed = [(name, old, get()) for (name, (get, _)), old in zip(SETTINGS.items(), before, strict=True)]
        changed = [(name, old, new) for name, old, new in changed if old != new]
        for name, old, _ in changed:
            SETTINGS[name][1](old)
    for name, old, new in changed:
        fix = "Leave it out: the setting is the run's (torch_threads), as it moves the last bits of all results."
        raise refuse(where, f"{name} left at {old}", new, fix)
