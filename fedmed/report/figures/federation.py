"""The federation before anyone trains: who holds how many of what, as a PNG.

Rows are clients. From left to right: training images per class, images per client, and where annotation is incomplete
the annotated share per class and per client. Above: training images per class over all clients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedmed.files import replacing
from fedmed.formatting import compact_count, percent
from fedmed.report.figures.elements import draw_bars, draw_color_scale, draw_heatmap, draw_totals, write_cell_values
from fedmed.report.figures.labels import label_columns, panel_legend, panel_title
from fedmed.report.figures.style import EMPTY, FAINT, FOREGROUND, text_width
from fedmed.report.figures.ticks import round_ticks, set_bar_ticks
from fedmed.report.series import Values
from fedmed.rundir.federation import FederationSummary, client_labels
from fedmed.terminal.federation import WIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLITS = {"train": "#0072B2", "val": "#E69F00", "test": "#AAAAAA"}
"""Colours after Okabe and Ito (2008), which colour-blind readers can tell apart."""

ANNOTATED = "#D55E00"

TITLE, ABOVE, FOOT, GAP, MARGIN = 0.95, 0.5, 0.42, 0.28, 0.18
"""Inches: the title, the panels above the rows, the colour scales below, between columns, around all."""


def federation_png(federation: FederationSummary, path: Path) -> None:
    """Draws the federation into a PNG file, which is replaced as a whole."""
    with replacing(path) as file:
        federation_figure(federation).savefig(file, format="png", dpi=150)


def federation_figure(federation: FederationSummary) -> Figure:
    """The federation as a matplotlib figure, as large as its rows and columns need."""
    import matplotlib as mpl

    with mpl.rc_context(
        {
            "font.size": 8,
            "text.color": FOREGROUND,
            "xtick.color": FAINT,
            "ytick.color": FOREGROUND,
            "text.parse_math": False,
        }
    ):
        return _draw(_view(federation))


@dataclass(frozen=True, slots=True)
class _View:
    """The federation with its clients in the order of the rows, class names cut to fit, a row's height in inches."""

    federation: FederationSummary
    order: NDArray[np.int64]
    classes: Sequence[str]
    row: float

    @property
    def wide(self) -> bool:
        """Whether there are too many clients to show one by one."""
        return len(self.order) > WIDE

    @property
    def longest(self) -> float:
        """Width in inches of the longest class name."""
        return max(map(text_width, self.classes))


@dataclass(frozen=True, slots=True)
class _Panel:
    """A column of the figure: its width in inches, what draws it given its axes (above, rows, foot), and whether
    class names stand below it.
    """

    width: float
    draw: Callable[[Axes, Axes, Axes], None]
    named: bool = False


def _view(federation: FederationSummary) -> _View:
    classes = [name if len(name) <= 24 else f"{name[:23]}…" for name in federation.class_names]
    clients = len(federation.client_names)
    row = 0.3 if clients <= 12 else 0.24 if clients <= WIDE else 6.6 / clients
    return _View(federation, _order(federation), classes, row)


def _order(federation: FederationSummary) -> NDArray[np.int64]:
    """Rows from the top: as numbered, or in a wide federation by site, most common class, and size."""
    clients = len(federation.client_names)
    if clients <= WIDE:
        return np.arange(clients)
    _, site = np.unique(np.asarray(federation.site_names or [""] * clients), return_inverse=True)
    return np.lexsort((-federation.images[:, 0], federation.counts.argmax(1), site))


def _draw(view: _View) -> Figure:
    from matplotlib.figure import Figure

    panels, left = _panels(view), _left(view)
    base = MARGIN + _foot(view, panels) + _names(view, panels)
    rows = view.row * len(view.order)
    titles = max(text_width(view.federation.title, 13.5), text_width(view.federation.subtitle, 9))
    width = max(left + sum(panel.width + GAP for panel in panels), titles + 2 * MARGIN)
    height = base + rows + ABOVE + TITLE
    figure = Figure(figsize=(width, height))
    for panel in panels:
        boxes = ((base + rows + 0.05, panel.width, ABOVE - 0.05), (base, panel.width, rows), (0.32, 1.5, 0.09))
        axes = [figure.add_axes((left / width, y / height, w / width, h / height)) for y, w, h in boxes]
        for ax in axes:
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
        panel.draw(*axes)
        left += panel.width + GAP
    _label_rows(figure.axes[1], view)
    figure.text(MARGIN / width, 1 - 0.16 / height, view.federation.title, fontsize=12, fontweight="bold", va="top")
    figure.text(MARGIN / width, 1 - 0.41 / height, view.federation.subtitle, fontsize=9, color=FAINT, va="top")
    return figure


def _panels(view: _View) -> list[_Panel]:
    federation, classes = view.federation, len(view.classes)
    cell = min(max(0.46, min(view.longest + 0.1, 3.6 / classes, 1.2)), 9.2 / classes)
    heat = max(cell * classes, 1.9)
    panels = [_Panel(heat, partial(_draw_counts, view, heat), True), _Panel(2.2, partial(_draw_sizes, view))]
    if federation.annotated is not None:
        narrow = max(0.7 * heat, 1.9)
        panels.append(_Panel(narrow, partial(_draw_annotated, view, narrow, federation.annotated), True))
    if federation.completeness is not None:
        panels.append(_Panel(1.2, partial(_draw_completeness, view, federation.completeness)))
    return panels


def _draw_counts(view: _View, width: float, above: Axes, rows: Axes, foot: Axes) -> None:
    from matplotlib.colors import PowerNorm

    counts = view.federation.counts[view.order].astype(float)
    values, scale = np.where(counts > 0, counts, np.nan), PowerNorm(0.5, vmin=0, vmax=max(counts.max(), 1))
    image = draw_heatmap(rows, values, "Blues", scale)
    label_columns(rows, view.classes, turned=_turned(view, width))
    roomy = width / len(view.classes) >= 0.4
    if roomy and not view.wide:
        write_cell_values(rows, values, scale, compact_count)
        foot.axis("off")
    else:
        draw_color_scale(foot, image, scale, compact_count, "per client and class")
    draw_totals(above, view.federation.counts.sum(0), rows, compact_count if roomy else None)
    panel_title(above, "training images with the class")


def _draw_sizes(view: _View, above: Axes, rows: Axes, foot: Axes) -> None:
    ends = np.pad(view.federation.images[view.order].cumsum(1), ((0, 0), (1, 0))).astype(float)
    for split, color in enumerate(SPLITS.values()):
        draw_bars(rows, ends[:, split], ends[:, split + 1], color, joined=view.wide)
    most = max(ends.max(), 1)
    set_bar_ticks(rows, 1.02 * most, round_ticks(most), compact_count)
    panel_legend(above, SPLITS, width=2.2)
    panel_title(above, "images per client")
    above.axis("off")
    foot.axis("off")


def _draw_annotated(view: _View, width: float, shares: Values, above: Axes, rows: Axes, foot: Axes) -> None:
    from matplotlib.colors import Normalize

    values, scale = shares[view.order], Normalize(0, 1)
    image = draw_heatmap(rows, values, "Oranges", scale)
    label_columns(rows, view.classes, turned=_turned(view, width))
    if width / len(view.classes) >= 0.28 and not view.wide:
        write_cell_values(rows, values, scale, lambda share: f"{100 * share:.0f}")
        foot.axis("off")
    else:
        draw_color_scale(foot, image, scale, percent, "annotated")
    panel_title(above, "annotated share in %")
    above.axis("off")


def _draw_completeness(view: _View, shares: Values, above: Axes, rows: Axes, foot: Axes) -> None:
    values = shares[view.order]
    zeros = np.zeros(len(values))
    draw_bars(rows, zeros, zeros + 1, EMPTY, joined=view.wide)
    draw_bars(rows, zeros, np.nan_to_num(values), ANNOTATED, joined=view.wide)
    set_bar_ticks(rows, 1, (0, 0.5, 1), lambda share: f"{100 * share:.0f}")
    panel_title(above, "completeness in %")
    above.axis("off")
    foot.axis("off")


def _label_rows(ax: Axes, view: _View) -> None:
    """Client names; in a wide federation the sites, and how the clients are ordered."""
    if view.wide:
        ends, names = _sites(view)
        ax.hlines(ends[:-1] - 0.5, *ax.get_xlim(), color=FOREGROUND, linewidth=0.8)
        ax.set_yticks((np.append(0, ends)[: len(ends)] + ends - 1) / 2, names)
        within = "by site, then " if names else ""
        ax.set_ylabel(f"{len(view.order):,} clients, {within}by most common class, largest first", color=FAINT)
        return
    labels = client_labels(view.federation)
    ax.set_yticks(range(len(labels)), labels)
    ax.annotate(
        "client", (0, 1), (-3.5, 4), xycoords="axes fraction", textcoords="offset points", ha="right", color=FAINT
    )


def _sites(view: _View) -> tuple[NDArray[np.int64], list[str]]:
    """Where each site's rows end, and its name; nothing without sites."""
    if view.federation.site_names is None:
        return np.zeros(0, np.int64), []
    sites = np.asarray(view.federation.site_names)[view.order]
    ends = np.append(np.flatnonzero(sites[1:] != sites[:-1]) + 1, len(sites))
    return ends, [str(sites[end - 1]) for end in ends]


def _turned(view: _View, width: float) -> bool:
    return view.longest > width / len(view.classes) - 0.06


def _left(view: _View) -> float:
    """Room left of the rows: row labels, or turned class names that begin left of their column."""
    labels = _sites(view)[1] if view.wide else [*client_labels(view.federation), "client"]
    room = max(map(text_width, labels), default=0.0) + (0.3 if view.wide else 0.08)
    turned = max(0.77 * text_width(name) - 0.46 * (at + 0.5) for at, name in enumerate(view.classes))
    return MARGIN + max(room, turned)


def _foot(view: _View, panels: Sequence[_Panel]) -> float:
    """Room for the colour scales, where numbers do not fit into the cells."""
    return FOOT if view.wide or panels[0].width / len(view.classes) < 0.4 else 0.0


def _names(view: _View, panels: Sequence[_Panel]) -> float:
    """Room for the class names below the rows."""
    turned = any(_turned(view, panel.width) for panel in panels if panel.named)
    return 0.2 + 0.65 * view.longest if turned else 0.2
