"""What tensors must be before anything is made of them: of the expected names, shapes and dtypes, and finite."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fedmed.errors import refuse

Tensors = Mapping[str, Tensor]


class MismatchError(Exception):
    """Something is not as it must be. expected, got: in words, as in `fedmed.errors.Fault`."""

    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, str(got))
        self.expected, self.got = expected, str(got)

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}"


def check_named(tensors: object, what: str) -> None:
    """Raises `MismatchError` unless it is a mapping of names to tensors."""
    if not isinstance(tensors, Mapping):
        raise MismatchError(f"{what} as a dict of tensors by name", _kind(tensors))
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise MismatchError(f"{what} as a dict of tensors by name", f"{_kind(tensor)} under {name!r}")


def check_alike(tensors: Tensors, like: Tensors, what: str) -> None:
    """Raises `MismatchError` unless names, shapes and dtypes are those of `like`."""
    if missing := sorted(like.keys() - tensors.keys()):
        raise MismatchError(f"{what} with all {len(like)} entries", f"none named {_few(missing)}")
    if surplus := sorted(tensors.keys() - like.keys()):
        raise MismatchError(f"{what} with the {len(like)} entries that were sent", f"also {_few(surplus)}")
    for name, tensor in tensors.items():
        if tensor.shape != like[name].shape or tensor.dtype != like[name].dtype:
            raise MismatchError(f"{name} as {_form(like[name])}", _form(tensor))


def check_finite(tensors: Tensors, what: str, *, times: float = 1.0, was: Tensors | None = None) -> None:
    """Raises `MismatchError` for a float entry that is NaN or infinite, or would be once `times` like it are added up.

    was: what the tensors were made of; what was not finite there and is the same now (a mask of -inf) may stay.
    """
    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.numel()}
    if not floats or _longest(floats) * times <= min(torch.finfo(t.dtype).max for t in floats.values()):
        return
    for name, tensor in floats.items():
        if (wrong := _wrong(tensor, times, None if was is None else was.get(name))) is not None:
            expected = f"{what} that can be added up" if isfinite(wrong) else f"finite {what}"
            raise MismatchError(expected, f"{wrong:g} in {name}")


def _longest(tensors: Tensors) -> float:
    """A bound on all entries of float tensors: the largest norm, NaN or infinite where any entry is."""
    parts = [tensor.detach() for tensor in tensors.values()]
    norms = torch._foreach_norm(parts)  # pyright: ignore[reportPrivateImportUsage]  # torch has no public name for it
    return float(torch.stack([norm.float() for norm in norms]).amax())


def check_state(state: Mapping[Any, Any], where: str, *, server: bool = False, at: str = "") -> None:
    """Raises `UserError` where a memory holds what cannot be kept.

    where: whose memory it is, and when.
    server: whether it is the server's, which may also hold whole numbers as keys, None, tuples and numpy's numbers.
    """
    for name, value in state.items():
        place = f"{at}[{name!r}]"
        if not (isinstance(name, int) and server) and (not isinstance(name, str) or "/" in name):
            raise refuse(f"{where}{at}", "text without a slash as keys of a state", repr(name), "Use another name.")
        if isinstance(value, Mapping):
            check_state(value, where, server=server, at=place)
        elif not _keepable(value, server):
            fix = "Keep only such values in a state; what is for one round goes to client.keep."
            raise refuse(where + place, "a tensor, a number, text, or a dict of these", _kind(value), fix)


def _keepable(value: object, server: bool) -> bool:
    if isinstance(value, list) or (server and isinstance(value, tuple)):
        return all(_keepable(item, server) and (server or not isinstance(item, Tensor)) for item in value)
    if server and (value is None or isinstance(value, np.generic)):
        return True
    return isinstance(value, Tensor | bool | int | float | str | bytes)


def _wrong(tensor: Tensor, times: float, was: Tensor | None) -> float | None:
    """The first entry that is not finite or too large, unless it was so before; None where there is none."""
    limit = torch.finfo(tensor.dtype).max / max(times, 1.0)
    wrong = ~(tensor.detach().abs() <= limit)
    if was is not None and was.shape == tensor.shape:
        wrong &= tensor.isfinite() | (tensor != was.to(tensor.device))
    return float(tensor.detach()[wrong][0]) if wrong.any() else None


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}" if isinstance(value, int | float | str) else type(value).__name__
