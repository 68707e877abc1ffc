"""Memory that processes share: tensors are written into it once and read in place; only their layout is sent."""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
import weakref
from collections.abc import Iterable
from math import prod
from multiprocessing import reduction
from types import FunctionType
from typing import Any, NamedTuple

import torch
from flwr.app import ArrayRecord, RecordDict
from torch import Tensor, nn

from fedmed.flower.records import pack, unpack
from fedmed.models.net import by_pixel
from fedmed.workers.by_value import pickled

SPAN = 1 << 36
"""Bytes that a block may grow to. Only what is written takes memory: the file behind it is sparse."""

ALIGNED, KEPT = 64, 64
"""Bytes to which tensors are aligned (a cache line); how many sets of views a block remembers."""


class TensorLayout(NamedTuple):
    """Where a tensor lies in a block. stride: in elements; offset: in bytes from the block's start."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


TensorLayouts = tuple[TensorLayout, ...]
RecordLayout = tuple[tuple[str, type, Any, TensorLayouts], ...]
"""A record dict without its tensors: per record its name, its kind, what it holds (or its tensors' names), layouts."""


class SharedMemoryBlock:
    """A block of memory that processes share; it is gone with the last process that has it, however that ends.

    It can be inherited by a forked process and passed to a spawned one as an argument.
    """

    def __init__(self, file: int | None = None) -> None:
        # A file in memory without a name: nothing is left behind by a process that is killed, as named shared memory
        # would be. Mapped at its full span at once, since a mapping that grows would move, away from under its views.
        self._file = _new_file() if file is None else file
        weakref.finalize(self, os.close, self._file)
        self._memory = mmap.mmap(self._file, SPAN)
        self._views: dict[TensorLayouts, list[Tensor]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (reduction.DupFd(self._file),)

    def write(self, content: RecordDict) -> RecordLayout:
        """Copies the tensors of the records in, over what was there; how they lie, and all but the tensors."""
        layout: list[tuple[str, type, Any, TensorLayouts]] = []
        end = 0
        for name, record in content.items():
            if isinstance(record, ArrayRecord):
                tensors = unpack(record)
                layouts, end = _lay_out(tensors.values(), end)
                if tensors:
                    parts = [tensor.detach() for tensor in tensors.values()]
                    torch._foreach_copy_(self._at(layouts), parts)  # pyright: ignore[reportPrivateImportUsage]
                layout.append((name, ArrayRecord, tuple(tensors), layouts))
            else:
                layout.append((name, type(record), dict(record), ()))
        return tuple(layout)

    def read(self, layout: RecordLayout) -> RecordDict:
        """The records that were written; their tensors are lent: good until the block is written again."""
        content = RecordDict()
        for name, kind, held, layouts in layout:
            content[name] = pack(dict(zip(held, self._at(layouts), strict=True))) if kind is ArrayRecord else kind(held)
        return content

    def dump(self, thing: Any) -> bytes:
        """A pickle of anything, whose tensors are copied in; tensors that share storage do so when loaded."""
        stream = io.BytesIO()
        _Pickler(stream, self).dump(thing)
        return stream.getvalue()

    def load(self, pickled: bytes) -> Any:
        """What was dumped; its tensors lie in the block."""
        return _Unpickler(io.BytesIO(pickled), self).load()

    def view(self, layout: TensorLayout) -> Tensor:
        """The tensor at this place of a block, without a copy."""
        if not prod(layout.shape):
            return torch.empty(layout.shape, dtype=layout.dtype)
        length = 1 + sum((size - 1) * step for size, step in zip(layout.shape, layout.stride, strict=True))
        flat = torch.frombuffer(self._memory, dtype=layout.dtype, count=length, offset=layout.offset)
        return flat.as_strided(layout.shape, layout.stride)

    def _at(self, layouts: TensorLayouts) -> list[Tensor]:
        """The tensors that lie there; the same objects when asked again.

        A net's weights have the same layouts in every round, and to make their views anew each time would take the
        write of a small net two thirds longer.
        """
        if layouts not in self._views:
            if len(self._views) >= KEPT:
                self._views.clear()
            self._views[layouts] = [self.view(layout) for layout in layouts]
        return self._views[layouts]


def _lay_out(tensors: Iterable[Tensor], start: int) -> tuple[TensorLayouts, int]:
    """Layouts of the tensors one after another, and where they end (bytes).

    Strides of dense tensors are kept: a net in channels_last gets its weights as they were, with nothing to convert.
    """
    layouts = []
    for tensor in tensors:
        stride = tensor.stride() if _dense(tensor) else torch.empty(tensor.shape, device="meta").stride()
        layouts.append(TensorLayout(tensor.dtype, tuple(tensor.shape), stride, start))
        start += -(-tensor.numel() * tensor.element_size() // ALIGNED) * ALIGNED
    return tuple(layouts), start


def _dense(tensor: Tensor) -> bool:
    """Whether the elements fill one piece of memory without gaps or overlaps, in any order."""
    dimensions = tensor.dim() - 2
    by_channel = dimensions in (2, 3) and tensor.is_contiguous(memory_format=by_pixel(dimensions))
    return tensor.is_contiguous() or by_channel


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("fedmed")
    else:
        with tempfile.TemporaryFile() as unlinked:
            file = os.dup(unlinked.fileno())
    os.ftruncate(file, SPAN)
    return file


def _attach(passed: Any) -> SharedMemoryBlock:
    return SharedMemoryBlock(passed.detach())


class _Pickler(pickle.Pickler):
    """Copies tensors into a block, and pickles of each only its layout.

    By storage, each once: tensors that are views of the same memory (clients' images, tied weights) are so in the
    other process too, and take no more room than here. Classes and functions of `__main__` travel by their code: a
    process that is spawned from a notebook has no `__main__` to look them up in.
    """

    def __init__(self, stream: io.BytesIO, block: SharedMemoryBlock) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._block, self._end, self._starts = block, 0, dict[int, int]()

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, type | FunctionType) and thing.__module__ == "__main__":
            return pickle.loads, (pickled(thing),)
        return NotImplemented

    def persistent_id(self, thing: Any) -> Any:
        if not isinstance(thing, Tensor):
            return None
        storage = thing.untyped_storage()
        if storage.data_ptr() not in self._starts:
            self._starts[storage.data_ptr()] = self._end
            whole = torch.empty(0, dtype=torch.uint8).set_(storage)
            (layout,), self._end = _lay_out([whole], self._end)
            self._block.view(layout).copy_(whole)
        offset = self._starts[storage.data_ptr()] + int(thing.storage_offset()) * thing.element_size()
        layout = TensorLayout(thing.dtype, tuple(thing.shape), thing.stride(), offset)
        return layout, isinstance(thing, nn.Parameter), thing.requires_grad


class _Unpickler(pickle.Unpickler):
    """Finds in a block what `_Pickler` has put there: a tensor for each layout, one object however often it stands."""

    def __init__(self, stream: io.BytesIO, block: SharedMemoryBlock) -> None:
        super().__init__(stream)
        self._block, self._loaded = block, dict[Any, Tensor]()

    def persistent_load(self, kept: Any) -> Tensor:
        if kept not in self._loaded:
            layout, parameter, requires_grad = kept
            tensor = self._block.view(layout)
            self._loaded[kept] = (
                nn.Parameter(tensor, requires_grad) if parameter else tensor.requires_grad_(requires_grad)
            )
        return self._loaded[kept]
