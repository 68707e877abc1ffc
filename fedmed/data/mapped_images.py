"""Images that stay on the disk: a tensor of which only the rows in use are in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_map_only

aten: Any = torch.ops.aten


class MappedImages(Tensor):
    """Rows of an npy file (N, C, H, W) that is mapped into memory; read-only.

    Slices, and the parts of `split`, are rows of the same file; indexing by a tensor copies, as for any tensor, and
    any other operation copies all rows first. Processes that are forked, or that it is sent to, share the file's pages.
    """

    path: Path
    base: Tensor
    rows: Tensor

    @staticmethod
    def __new__(cls, path: Path, base: Tensor, rows: Tensor) -> MappedImages:
        """The rows of a file. base: all of the file; rows: int64."""
        make: Any = Tensor._make_wrapper_subclass
        made: MappedImages = make(cls, (len(rows), *base.shape[1:]), dtype=base.dtype, device=base.device)
        made.path, made.base, made.rows = path, base, rows
        return made

    @classmethod
    def open(cls, path: Path, rows: int) -> MappedImages:
        """The first rows of an npy file."""
        return cls(path, _mapped(path), torch.arange(rows))

    def chosen(self, rows: Tensor) -> MappedImages:
        """These rows, in that order, without a copy."""
        return MappedImages(self.path, self.base, self.rows[rows])

    def in_memory(self) -> Tensor:
        """A copy of all rows."""
        return self.base[self.rows]

    def numpy(self, *, force: bool = False) -> NDArray[Any]:
        return self.in_memory().numpy(force=force)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"MappedImages({self.path}, {tuple(self.shape)}, {self.dtype})"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _reopened, (self.path, self.rows)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Rows for what only chooses rows; for all else, the operation on a copy."""
        if (lazy := LAZY.get(func)) is not None and (found := lazy(*args, **(kwargs or {}))) is not None:
            return found
        copied = tree_map_only(MappedImages, MappedImages.in_memory, (args, kwargs or {}))
        return func(*copied[0], **copied[1])


def _reopened(path: Path, rows: Tensor) -> MappedImages:
    return MappedImages(path, _mapped(path), rows)


def _mapped(path: Path) -> Tensor:
    # "c" maps privately: torch wants memory that it may write to, and nothing that is written reaches the file
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _slice(x: MappedImages, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x.chosen(torch.arange(len(x))[start:end:step]) if dim == 0 else None


def _index(x: Any, indices: Sequence[Tensor | None]) -> Any:
    if not isinstance(x, MappedImages) or len(indices) != 1 or indices[0] is None:
        return None
    return x.base[x.rows[indices[0]]]


def _select(x: MappedImages, dim: int, index: int) -> Any:
    return x.base[int(x.rows[index])] if dim == 0 else None


def _split(x: MappedImages, size: int, dim: int = 0) -> Any:
    return [x.chosen(part) for part in torch.arange(len(x)).split(size)] if dim == 0 else None


def _cat(parts: Sequence[Any], dim: int = 0) -> Any:
    first = parts[0]
    if dim or not all(isinstance(part, MappedImages) and part.path == first.path for part in parts):
        return None
    return MappedImages(first.path, first.base, torch.cat([part.rows for part in parts]))


def _same(x: MappedImages) -> Any:
    return x.chosen(torch.arange(len(x)))


LAZY: dict[Any, Callable[..., Any]] = {
    aten.slice.Tensor: _slice,
    aten.index.Tensor: _index,
    aten.select.int: _select,
    aten.split.Tensor: _split,
    aten.cat.default: _cat,
    aten.detach.default: _same,
    aten.alias.default: _same,
}
"""Operations that only choose rows; each gives None where it would do more than that."""
