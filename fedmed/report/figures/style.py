"""The style of figures: one type size, few lines, colours by arm that a dark page can replace; sizes in inches.

A figure is drawn once in fixed light colours, for papers. On the page its SVG gets the page's own colours and font.
Arms' colours are after Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from fedmed.comparison.runs import LOCAL, POOLED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOREGROUND, FAINT, RULE, EMPTY, BACKGROUND = "#222222", "#6b6b6b", "#d9d9d9", "#f2f2f2", "#fefefe"
DARK = "#1f1f20"
"""Of what stands on a pale colour, whatever the page around it looks like."""

ARMS = ("#0b6cb0", "#c8541b", "#0b8a68", "#a83f86", "#a87900", "#2f9ad0", "#80593a", "#5a57cf")
"""Colours of federated arms, in their order; from the ninth on they repeat, with other dashes."""

REFERENCES = {POOLED: "#4d4d4e", LOCAL: "#8a8a8b"}
"""Colours of the reference arms."""

DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)))

THEME = {FOREGROUND: "--ink", FAINT: "--faint", RULE: "--rule", BACKGROUND: "--paper", EMPTY: "--empty"}
THEME |= {color: f"--arm{number}" for number, color in enumerate(ARMS)}
THEME |= {color: f"--{name}" for name, color in REFERENCES.items()}
"""Colours that the page replaces, and the names of its own."""

RC_PARAMS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": FOREGROUND,
    "axes.edgecolor": RULE,
    "axes.labelcolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "fedmed",
    "text.parse_math": False,
}

WIDTH, HEIGHT = 4.5, 2.9
"""Inches of a figure: two stand side by side on a page, one fills a phone."""


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """Colour and dashes of an arm's lines, as matplotlib takes them."""

    color: str
    dash: str | tuple[int, tuple[float, float]]


def arm_styles(arms: Sequence[str]) -> dict[str, ArmStyle]:
    """The style of every arm, the same in all figures; references are grey and dashed."""
    federated = [arm for arm in arms if arm not in REFERENCES]
    found = {
        arm: ArmStyle(ARMS[number % len(ARMS)], DASHES[number // len(ARMS) % len(DASHES)])
        for number, arm in enumerate(federated)
    }
    return found | {arm: ArmStyle(color, DASHES[1]) for arm, color in REFERENCES.items() if arm in arms}


@contextmanager
def figure_style() -> Iterator[None]:
    """A context in which matplotlib draws in the style of all figures."""
    import matplotlib as mpl

    with mpl.rc_context(RC_PARAMS), warnings.catch_warnings():
        # text stays text, so that a browser finds the character; a PNG has a box in its place
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A figure of that many inches, with one plot; no state that outlives it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_axes((0.1, 0.14, 0.86, 0.8))


def place_axes(figure: Figure, ax: Axes, *, left: float, right: float, bottom: float = 0.42, top: float = 0.16) -> None:
    """Places the plot with that many inches around it."""
    width, height = figure.get_size_inches()
    ax.set_position((left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height))


@cache
def text_width(text: str, points: float = 8.0) -> float:
    """Width of a text in inches, as matplotlib draws it in that many points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=points).get_extents().width) / 72 if text.strip() else 0.0
