"""The federation before anyone trains: who holds how many of what, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmed.formatting import percent
from fedmed.rundir.federation import FederationSummary, client_labels
from fedmed.terminal.text_table import TextTable, fit

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDE = 30
"""The most clients that are shown one by one."""

EXTREMES = 3
"""How many of the smallest and of the largest clients a wide federation's table shows."""

QUANTILES = {"minimum": 0.0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "maximum": 1.0}
"""Rows over the clients, column by column, that a wide federation's table shows."""


def federation_table(federation: FederationSummary, width: int = 100) -> RenderableType:
    """The table for a rich console of `width` characters; see `federation_text`."""
    from rich.console import Group

    return Group(*(part.rich() for part in fit(_grid(federation, width), width)))


def federation_text(federation: FederationSummary, width: int = 100) -> str:
    """The table as plain text, without a line end.

    Where one column per class does not fit into `width`, the number of classes held and the most common one stand
    instead. More than 30 clients: quantiles over the clients, then the smallest and the largest clients.
    """
    return "\n".join(part.text() for part in fit(_grid(federation, width), width))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One text per client, what the total row says, and the text of a quantile q of the clients."""

    name: str
    cells: Sequence[str]
    total: str
    quantile: Callable[[float], str]


def _grid(federation: FederationSummary, width: int) -> TextTable:
    """The fullest of three tables that fits: classes by name, by number, or summed up."""
    numbers = [str(number) for number in range(len(federation.class_names))]
    for columns, below in (
        (_class_columns(federation, federation.class_names), []),
        (_class_columns(federation, numbers), ["", *_key(federation.class_names, width)]),
        (_class_summary(federation), []),
    ):
        grid = _layout(federation, columns + _size_columns(federation), below)
        if grid.width <= width:
            break
    return grid


def _key(names: Sequence[str], width: int) -> list[str]:
    """Lines that say which class each number stands for, broken between classes only."""
    items = (f"{number} {name}".replace(" ", "\0") for number, name in enumerate(names))
    lines = wrap("classes: " + ", ".join(items), width, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


def _class_columns(federation: FederationSummary, names: Sequence[str]) -> list[_Column]:
    return [_counted(name, values, values.sum()) for name, values in zip(names, federation.counts.T, strict=True)]


def _class_summary(federation: FederationSummary) -> list[_Column]:
    """How many classes a client holds, and which one is the most common there."""
    shares = federation.counts.max(1) / federation.counts.sum(1).clip(min=1)
    tops = [federation.class_names[top] for top in federation.counts.argmax(1)]
    cells = [f"{name} {percent(share)}" if share else "-" for name, share in zip(tops, shares, strict=True)]
    held = _counted("classes", (federation.counts > 0).sum(1), federation.counts.any(0).sum())
    return [held, _Column(name="most common", cells=cells, total="", quantile=lambda q: "")]


def _size_columns(federation: FederationSummary) -> list[_Column]:
    names = ("train", "val", "test")
    columns = [_counted(name, values, values.sum()) for name, values in zip(names, federation.images.T, strict=True)]
    if federation.completeness is None:
        return columns
    return [*columns, _column("annotated", federation.completeness, "", percent)]


def _counted(name: str, values: NDArray[np.int64], total: int) -> _Column:
    return _column(name, values.astype(float), str(total), lambda value: f"{value:.0f}")


def _column(name: str, values: NDArray[np.float64], total: str, show: Callable[[float], str]) -> _Column:
    cells = [show(value) for value in values]
    return _Column(name=name, cells=cells, total=total, quantile=lambda q: show(float(np.nanquantile(values, q))))


def _layout(federation: FederationSummary, columns: Sequence[_Column], below: Sequence[str]) -> TextTable:
    labels, clients = client_labels(federation), len(federation.client_names)
    if clients <= WIDE:
        rows, breaks = [[labels[i], *(column.cells[i] for column in columns)] for i in range(clients)], {clients - 1}
    else:
        order = federation.images[:, 0].argsort(kind="stable")
        ends = [*order[:EXTREMES], *order[-EXTREMES:]]
        rows = [[name, *(column.quantile(q) for column in columns)] for name, q in QUANTILES.items()]
        rows += [[labels[i], *(column.cells[i] for column in columns)] for i in ends]
        breaks = {len(QUANTILES) - 1, len(QUANTILES) + EXTREMES - 1, len(QUANTILES) + 2 * EXTREMES - 1}
    rows.append(["total", *(column.total for column in columns)])
    header = ["client", *(column.name for column in columns)]
    above = [federation.title, federation.subtitle, *([federation.model] if federation.model else []), ""]
    return TextTable(header=header, rows=rows, breaks=frozenset(breaks), above=above, below=below)
