"""What a module of torch consists of, as a digest: its layers, weights and code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import FunctionType, ModuleType

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fedmed.options.class_sources import sources_of

INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Folders of packages, whose code is known by its name alone."""


def digest(module: object) -> str:
    """A digest of a module, a class of modules or a function that makes one; equal where they make equal networks.

    Of a function it has the text and the values that it takes from around it, so that two of one text differ.
    """
    found = blake2b(digest_size=16)
    for part in _parts(module, set()):
        found.update(blake2b(part).digest())
    return found.hexdigest()


def _parts(value: object, seen: set[int]) -> Iterator[bytes]:
    if id(value) in seen:
        return
    seen.add(id(value))
    match value:
        case nn.Module():
            yield from _module_parts(value, seen)
        case Tensor():
            yield f"{value.dtype} {list(value.shape)}".encode()
            yield value.detach().cpu().contiguous().numpy().tobytes()
        case partial():
            yield from _all_parts([value.func, value.args, value.keywords], seen)
        case FunctionType():
            yield from _function_parts(value, seen)
        case type():
            yield from [value.__qualname__.encode()] if installed(value) else sources_of(value)
        case _:
            yield from _held_parts(value, seen)


def _held_parts(value: object, seen: set[int]) -> Iterator[bytes]:
    match value:
        case Mapping():
            yield from _all_parts([*value.keys(), *value.values()], seen)
        case list() | tuple():
            yield from _all_parts([*value], seen)
        case ModuleType():
            yield value.__name__.encode()
        case _:
            yield re.sub(r" at 0x[0-9a-f]+", "", repr(value)).encode()


def _all_parts(values: list[object], seen: set[int]) -> Iterator[bytes]:
    for value in values:
        yield from _parts(value, seen)


def _module_parts(module: nn.Module, seen: set[int]) -> Iterator[bytes]:
    yield repr(module).encode()
    for layer in module.modules():
        own = {name: value for name, value in vars(layer).items() if not name.startswith("_")}
        yield from _all_parts([type(layer), own], seen)
    for name, tensor in module.state_dict(keep_vars=True).items():
        yield name.encode()
        yield from () if is_lazy(tensor) else _parts(tensor, seen)


def _function_parts(function: FunctionType, seen: set[int]) -> Iterator[bytes]:
    yield function.__qualname__.encode()
    if installed(function):
        return
    try:
        yield inspect.getsource(function).encode()
    except (OSError, TypeError):  # nobody has the text
        yield function.__code__.co_code
        yield repr([each for each in function.__code__.co_consts if not inspect.iscode(each)]).encode()
    around = inspect.getclosurevars(function)
    used = {**around.globals, **around.nonlocals}
    yield from _all_parts([function.__defaults__, function.__kwdefaults__, used], seen)


def installed(value: type | FunctionType) -> bool:
    """Whether it is of an installed package, and not of a file, script or notebook of the user's."""
    try:
        return not INSTALLED.isdisjoint(Path(inspect.getfile(value)).parts)
    except (TypeError, OSError):
        return False
