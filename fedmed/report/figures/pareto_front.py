"""The compromises that one model offers: the losses of two objectives at the rays of the last round.

Drawn for every method that audits `loss.ray` and whose memory on the server has `rays` (n, J), `losses` (n, J) there,
and which of them are on the `front` (n,); `clients` (M,) with their `objective` (M,) and `preferred` rays (M, J) say
more. Of more than two objectives, the two are drawn that are most at odds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import ComparedRun
from fedmed.report import series
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.labels import label, title_axes
from fedmed.report.figures.style import ARMS, BACKGROUND, FOREGROUND, new_figure, place_axes
from fedmed.report.figures.svg import RenderedFigure
from fedmed.report.figures.ticks import set_x_ticks
from fedmed.report.server_memory import memories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AUDITED = ".loss.ray"
"""End of the name of what a method with such a front audits."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Front:
    """What a method offers. rays, losses: (n, J). front: (n,). clients, objective: (M,). preferred: (M, J)."""

    rays: Matrix
    losses: Matrix
    front: NDArray[np.bool_]
    clients: NDArray[np.int64]
    objective: NDArray[np.int64]
    preferred: Matrix
    hypervolume: float

    @property
    def pair(self) -> tuple[int, int]:
        """The two objectives whose losses move most against one another over the rays."""
        moves = self.losses - self.losses.mean(0)
        against = moves.T @ moves
        i, j = np.triu_indices(len(against), 1)
        least = int(against[i, j].argmin())
        return int(i[least]), int(j[least])

    @property
    def at(self) -> dict[int, list[int]]:
        """Clients by the ray that is nearest to their own."""
        found: dict[int, list[int]] = {}
        for client, ray in sorted(zip(self.clients.tolist(), self.preferred, strict=True), key=lambda pair: pair[0]):
            nearest = int(((self.rays - ray) ** 2).sum(1).argmin())
            found.setdefault(nearest, []).append(client)
        return found

    def name(self, objective: int) -> str:
        """Whose loss it is."""
        members = sorted(self.clients[self.objective == objective].tolist())
        return f"client{'s' if len(members) > 1 else ''} {', '.join(map(str, members))}"


def front_figures(context: FigureContext, world: str, notes: list[str]) -> list[RenderedFigure]:
    """A figure for every arm with a front, of its first run that has one. notes: gets what cannot be read."""
    found = ((arm, _first(context, world, arm, notes)) for arm in context.comparison.arms)
    return [_drawn(context, world, arm, each) for arm, each in found if each is not None]


def _first(context: FigureContext, world: str, arm: str, notes: list[str]) -> Front | None:
    for run in series.arm_runs(context.comparison, world, arm):
        if _audits(run):
            for memory in memories(run, notes):
                if (front := _front(memory)) is not None:
                    return front
    return None


def _audits(run: ComparedRun) -> bool:
    return any(name.endswith(AUDITED) for row in run.audit[-1:] for name in row)


def _front(memory: Any) -> Front | None:
    """What the memory says of a front; None where it has none, or one whose parts do not fit together."""
    names = ("rays", "losses", "front", "clients", "objective", "preferred")
    if not isinstance(memory, Mapping) or not {*names, "hypervolume"} <= memory.keys():
        return None
    rays, losses, front, clients, objective, preferred = (np.asarray(memory[name]) for name in names)
    fits = losses.ndim == 2 and losses.shape[1] > 1 and rays.shape == losses.shape and front.shape == losses.shape[:1]
    if not fits or preferred.shape != (len(clients), losses.shape[1]) or objective.shape != clients.shape:
        return None
    return Front(rays, losses, front.astype(bool), clients, objective, preferred, float(memory["hypervolume"]))


def _drawn(context: FigureContext, world: str, arm: str, found: Front) -> RenderedFigure:
    figure, ax = new_figure()
    place_axes(figure, ax, left=0.55, right=0.3, top=0.36)
    one, other = found.pair
    x, y = found.losses[:, one], found.losses[:, other]
    _draw(ax, x, y, found)
    title_axes(ax, f"loss of {found.name(one)}", f"loss of {found.name(other)}")
    title = f"Compromises · {arm}" if context.several else "Compromises"
    at = "; ".join(f"{', '.join(map(str, who))} at ({x[k]:.2f}, {y[k]:.2f})" for k, who in sorted(found.at.items()))
    note = (
        "Validation losses of one model at the rays of the last round: full where no other is below in every "
        "objective. Numbers are clients, at the ray that is nearest to the one that each prefers. "
        f"Hypervolume of all {found.losses.shape[1]} objectives {found.hypervolume:.3g}."
    )
    file = "compromises_" + "".join(letter if letter.isalnum() else "_" for letter in arm.lower())
    return context.write(figure, file, world, title=title, note=note, alt=f"{title}. Clients {at}.")


def _draw(ax: Axes, x: Matrix, y: Matrix, found: Front) -> None:
    """Rays as dots, those on the front full and joined where objectives are two, with clients' numbers beside them."""
    best = np.flatnonzero(found.front)
    if found.losses.shape[1] == 2:
        order = best[x[best].argsort()]
        ax.plot(x[order], y[order], "-", color=ARMS[0], alpha=0.35)
    look: dict[str, Any] = {"linestyle": "none", "markersize": 5.5, "markeredgecolor": ARMS[0], "markeredgewidth": 1.2}
    ax.plot(x[~found.front], y[~found.front], "o", markerfacecolor=BACKGROUND, **look)
    ax.plot(x[best], y[best], "o", markerfacecolor=ARMS[0], **look)
    ax.margins(0.12, 0.14)
    ax.grid(visible=True)
    set_x_ticks(ax, 5)
    for ray, clients in found.at.items():
        words = ", ".join(map(str, clients))
        label(ax, words, (float(x[ray]), float(y[ray])), (6, 5), color=FOREGROUND, ground=True)
