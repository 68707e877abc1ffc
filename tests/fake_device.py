"""A second device for machines without one: tensors that say they are elsewhere, and refuse what a GPU would refuse.

They hold a tensor of the processor that does the work, so a run on it must have the bits of a run on the
processor. As on CUDA, an operation may not mix devices, but for single values and for indices on the processor in
x[index]; random numbers on the device are not drawn from a generator of the processor; and nothing there is numpy's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
KIND = "meta"
"""The name of the device: torch's own for tensors without content, so that no backend must be registered for it."""

CROSSING = (aten.copy_.default, aten._to_copy.default, aten._foreach_copy_.default)
INDEXING = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default)
WHOLE = (aten.cat.default, aten.stack.default)
"""Operations that cross devices, that take indices from the processor, and that take no single values from there."""


class Elsewhere(Tensor):
    """A tensor on the fake device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Elsewhere:
        made: Elsewhere = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(KIND),
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Factories(TorchDispatchMode):
    """Makes tensors on the fake device where one is asked for by name."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled, and the guard against it takes longer than all else here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return _run(func, args, kwargs) if _asked(args, kwargs) else func(*args, **kwargs)


class _Data(TorchFunctionMode):
    """The ways between tensors and Python's numbers that torch takes without dispatching them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.tolist and isinstance(args[0], Elsewhere):
            return args[0].held.tolist()
        if func is Tensor.new_tensor and isinstance(args[0], Elsewhere):
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(args[0].device)
        if func is Tensor.__getitem__ and isinstance(args[1], list):
            return args[0][torch.tensor(args[1], dtype=torch.int64)]
        if func in (torch.tensor, torch.as_tensor) and _asked(args, kwargs):
            return func(*args, **(kwargs | {"device": "cpu"})).to(kwargs["device"])
        return func(*args, **kwargs)


@contextmanager
def elsewhere() -> Iterator[torch.device]:
    """The fake device, which exists inside the block."""
    with _Factories(), _Data():
        yield torch.device(KIND)


def home(value: Any) -> Any:
    """Nested tensors, on the processor."""
    if isinstance(value, Mapping):
        return {name: home(item) for name, item in value.items()}
    return value.held.detach() if isinstance(value, Elsewhere) else value


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """The operation on the held tensors, once it is clear that a GPU would not refuse it."""
    _refuse(func, args, kwargs)
    found = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if func in CROSSING and _target(func, args, kwargs).type == "cpu":
        return args[0] if func is aten.copy_.default else found
    there = tree_map(lambda x: Elsewhere(x) if isinstance(x, Tensor) else x, found)
    return return_and_correct_aliasing(func, args, kwargs, there)


def _target(func: Any, args: Any, kwargs: Any) -> torch.device:
    """Where the result of a crossing lies."""
    if func is aten._to_copy.default:
        return kwargs.get("device") or args[0].device  # type: ignore[no-any-return]
    return tree_leaves(args[0])[0].device  # type: ignore[no-any-return]


def _refuse(func: Any, args: Any, kwargs: Any) -> None:
    if func in CROSSING:
        return
    shown = [args[0], *args[2:]] if func in INDEXING else args
    tensors = [x for x in tree_leaves((shown, kwargs)) if isinstance(x, Tensor)]
    plain = [x for x in tensors if not isinstance(x, Elsewhere)]
    if any(isinstance(x, torch.Generator) for x in tree_leaves((args, kwargs))):
        raise RuntimeError(f"{func}: expected a generator of {KIND}, found one of the processor")
    written = func._schema.is_mutable and not isinstance(tree_leaves(args[0])[0], Elsewhere)
    if plain and (written or func in WHOLE or any(x.dim() for x in plain)):
        raise RuntimeError(f"{func}: expected all tensors on one device, found {KIND} and cpu")


def _asked(args: Any, kwargs: Any) -> bool:
    """Whether an operation names the fake device."""
    return any(isinstance(x, torch.device) and x.type == KIND for x in (*args, *kwargs.values()))


def _held(x: Any) -> Any:
    if isinstance(x, Elsewhere):
        return x.held
    return torch.device("cpu") if isinstance(x, torch.device) else x
