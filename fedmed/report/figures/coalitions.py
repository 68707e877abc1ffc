"""Who gains how much from whom, and the coalitions that were formed of it: a matrix of clients.

Drawn for every method whose memory on the server has a `benefit` (N, N), [j, i] being what client i gains from client
j, and a `partition` (N,), the lowest client of each client's coalition; `edges`, `rivals` and `audit` say more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedmed.formatting import count
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.elements import draw_heatmap, write_cell_values
from fedmed.report.figures.labels import title_axes
from fedmed.report.figures.style import FOREGROUND, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.server_memory import memories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 40
"""The most clients of which the matrix is drawn."""

NUMBERED = 12
"""The most clients of which cells have their numbers."""


@dataclass(frozen=True, slots=True)
class Coalitions:
    """What a method formed. benefit: (N, N). partition: (N,). rivals: (N, N). audit: figures by name."""

    benefit: NDArray[np.float64]
    partition: NDArray[np.int64]
    rivals: NDArray[np.bool_]
    audit: Mapping[str, float]

    @property
    def order(self) -> NDArray[np.int64]:
        """Clients coalition by coalition."""
        return np.argsort(self.partition, kind="stable")

    @property
    def members(self) -> list[list[int]]:
        """The clients of each coalition."""
        return [np.flatnonzero(self.partition == lowest).tolist() for lowest in np.unique(self.partition)]


def coalition_figures(context: FigureContext, world: str, notes: list[str]) -> list[RenderedFigure]:
    """A figure for every arm with coalitions, of its first run that has some. notes: gets what cannot be read."""
    found = ((arm, _first(context, world, arm, notes)) for arm in context.comparison.arms)
    return [_drawn(context, world, arm, each) for arm, each in found if each is not None]


def _first(context: FigureContext, world: str, arm: str, notes: list[str]) -> Coalitions | None:
    for run in series.arm_runs(context.comparison, world, arm):
        if not any("model" in row for row in run.clients):
            continue
        for memory in memories(run, notes):
            if (coalitions := _coalitions(memory)) is not None:
                return coalitions
    return None


def _coalitions(memory: Any) -> Coalitions | None:
    """What the memory says of coalitions; None where it has none, or none that fit together."""
    if not isinstance(memory, Mapping) or not {"benefit", "partition"} <= memory.keys():
        return None
    benefit, partition = (np.asarray(memory[name]) for name in ("benefit", "partition"))
    n = len(partition)
    rivals = np.asarray(memory.get("rivals", np.zeros((n, n))))
    if benefit.shape != (n, n) or rivals.shape != (n, n) or not 0 < n <= MOST:
        return None
    return Coalitions(benefit.astype(float), partition, rivals.astype(bool), memory.get("audit", {}))


def _drawn(context: FigureContext, world: str, arm: str, found: Coalitions) -> RenderedFigure:
    from matplotlib.colors import Normalize

    figure, ax = new_figure()
    place_axes(figure, ax, left=0.42, right=0.15, top=0.36)
    order, n = found.order, len(found.partition)
    own = np.where(found.rivals | np.eye(n, dtype=bool), np.nan, found.benefit)[np.ix_(order, order)]
    scale = Normalize(0, max(float(np.nanmax(own, initial=0)), 1e-9))
    draw_heatmap(ax, own.clip(min=0), "Blues", scale)
    if n <= NUMBERED:
        write_cell_values(ax, own, scale, lambda gain: f"{gain:.2f}".replace("0.", ".", 1) if gain else "0")
    _mark(ax, found)
    ax.set_xticks(range(n), [str(client) for client in order])
    ax.set_yticks(range(n), [str(client) for client in order])
    title_axes(ax, "client that gains", "client that gives")
    title = f"Coalitions · {arm}" if context.several else "Coalitions"
    words = _words(found)
    note = (
        "How much each client (column) gains from each other (row), as the method has measured it; a frame is a "
        f"coalition, a cross a pair of rivals. {words}"
    )
    file = "coalitions_" + "".join(letter if letter.isalnum() else "_" for letter in arm.lower())
    return context.write(figure, file, world, title=title, note=note, alt=f"{title}. {words}")


def _mark(ax: Axes, found: Coalitions) -> None:
    """Frames around coalitions, crosses on rivals."""
    from matplotlib.patches import Rectangle

    frame: dict[str, Any] = {"edgecolor": FOREGROUND, "linewidth": 2.0, "zorder": 3, "clip_on": False}
    start = -0.5
    for members in found.members:
        size = len(members)
        ax.add_patch(Rectangle((start, start), size, size, fill=False, **frame))
        start += size
    rows, columns = np.nonzero(found.rivals[np.ix_(found.order, found.order)])
    ax.plot(columns, rows, "x", color=FOREGROUND, markersize=5, linestyle="none")


def _words(found: Coalitions) -> str:
    """The coalitions, and what is audited of them."""
    members = "; ".join(", ".join(map(str, each)) for each in found.members)
    sentences = [f"{count(len(found.members), 'coalition')}: {members}."]
    audit = found.audit
    if "rand" in audit:
        sentences.append(f"Adjusted Rand index against the true groups {audit['rand']:.2f}.")
    if "margin" in audit:
        sentences.append(f"No gain is nearer than {audit['margin']:.2g} to the threshold.")
    if audit.get("blocking"):
        sentences.append("Some clients would gain by leaving their coalitions together.")
    return " ".join(sentences)
