"""How figures look: one type size, few lines, colours by arm that a dark page can replace; and how they are written.

A figure is drawn once in fixed light colours, for papers. On the page its SVG gets the page's own colours and font.
Arms' colours are after Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedmed.comparison.runs import LOCAL, POOLED
from fedmed.files import write_atomically
from fedmed.report.figures.tooltips import Tooltip, group
from fedmed.report.sanitise import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, RULE, PAPER = "#222222", "#6b6b6b", "#d9d9d9", "#fefefe"

ARMS = ("#0b6cb0", "#c8541b", "#0b8a68", "#a83f86", "#a87900", "#2f9ad0", "#80593a", "#5a57cf")
"""Colours of federated arms, in their order; from the ninth on they repeat, with other dashes."""

REFERENCES = {POOLED: "#4d4d4e", LOCAL: "#8a8a8b"}
"""Colours of the reference arms."""

DASHES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)))

THEME = {INK: "--ink", FAINT: "--faint", RULE: "--rule", PAPER: "--paper", "#f2f2f2": "--empty"}
THEME |= {color: f"--arm{number}" for number, color in enumerate(ARMS)}
THEME |= {color: f"--{name}" for name, color in REFERENCES.items()}
"""Colours that the page replaces, and the names of its own."""

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": INK,
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


LARGE = 150_000
"""Characters of SVG from which on a PNG may be smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFigure:
    """A figure on the page.

    name: of its files. title, note: what it shows and how to read it, as text. alt: what it says, for those who do not
    see it. markup: an svg or img element. wide: whether it takes the page's whole width.
    """

    name: str
    title: str
    note: str
    alt: str
    markup: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """How an arm is drawn."""

    color: str
    dash: str | tuple[int, tuple[float, float]]


def arm_styles(arms: Sequence[str]) -> dict[str, ArmStyle]:
    """The look of every arm, the same in all figures; references are grey and dashed."""
    federated = [arm for arm in arms if arm not in REFERENCES]
    found = {
        arm: ArmStyle(ARMS[number % len(ARMS)], DASHES[number // len(ARMS) % len(DASHES)])
        for number, arm in enumerate(federated)
    }
    return found | {arm: ArmStyle(color, DASHES[1]) for arm, color in REFERENCES.items() if arm in arms}


@contextmanager
def drawing() -> Iterator[None]:
    """The style of all figures, inside the block."""
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():
        # text stays text, so that a browser finds the character; a PNG has a box in its place
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


def blank(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """A figure of that many inches, with one plot; no state that outlives it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_axes((0.1, 0.14, 0.86, 0.8))


def fit(figure: Figure, ax: Axes, *, left: float, right: float, bottom: float = 0.42, top: float = 0.16) -> None:
    """Places the plot with that many inches around it."""
    width, height = figure.get_size_inches()
    ax.set_position((left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height))


def write(
    figure: Figure,
    folder: Path | None,
    *,
    name: str,
    title: str,
    note: str,
    alt: str,
    wide: bool = False,
    tooltips: Sequence[Tooltip] = (),
) -> RenderedFigure:
    """The figure on the page, as SVG or PNG, whichever is smaller; and as both in the folder, if there is one.

    tooltips: what it says where it is pointed at, on the page and as SVG only.
    """
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Title": title})
    svg = printable(text.getvalue())
    if folder is not None:
        write_atomically(folder / f"{name}.svg", svg)
        write_atomically(folder / f"{name}.png", png(figure))
    size = f' width="{figure.get_figwidth() * 96:.0f}"' if wide else ""
    markup = inline(svg, alt, size)
    if len(markup) > LARGE and len(small := _image(png(figure), alt, size)) < len(markup):
        markup = small
    else:
        markup = markup.removesuffix("</svg>") + group(tooltips) + "</svg>"
    return RenderedFigure(name=name, title=title, note=note, alt=alt, markup=markup, wide=wide)


def png(figure: Figure) -> bytes:
    """The figure in 200 pixels per inch, on white."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=200, facecolor="white")
    return content.getvalue()


def inline(svg: str, alt: str, size: str = "") -> str:
    """An SVG file as an element of the page: its colours and font, and no names that another figure has too.

    size: an attribute; empty for as wide as there is room.
    """
    body = svg[svg.index("<svg") :]
    box = re.search(r'viewBox="[^"]+"', body)
    start = body.index(">") + 1
    body = re.sub(r"<metadata>.*?</metadata>", "", body[start:], flags=re.DOTALL)
    body = re.sub(r"<title>.*?</title>|<style.*?</style>", "", body, flags=re.DOTALL).replace("xlink:href", "href")
    body = re.sub(r' id="[\w.]+_\d+"| transform="rotate\(-0[^"]*"|font-family: [^;"]*;? ?', "", body)
    body = re.sub(r"#[0-9a-f]{6}\b", _themed, body)
    body = re.sub(r' (?:x|y|transform|points)="[^"]*"', _shorter, re.sub(r">\s*\n\s*<", "><", body))
    body = re.sub(r"<defs>\s*</defs>|<g/>", "", body)
    body = re.sub(r' d="([^"]*)"', lambda found: f' d="{steps(found[1])}"', body)
    label = escape(alt, quote=True)
    return f'<svg {box[0] if box else ""}{size} role="img" aria-label="{label}">{body.rstrip()}'


def _shorter(attribute: re.Match[str]) -> str:
    """Places with two decimals: a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r"\s+", " ", attribute[0]))


def steps(path: str) -> str:
    """A path with a decimal, lines as steps from point to point, which are short to write; curves as they are."""
    tokens = path.split()
    if not {*filter(str.isalpha, tokens)} <= {"M", "L", "z"}:
        return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(tokens))
    parts, at = [], (0, 0)
    numbers = iter(tokens)
    for command in numbers:
        if command == "z":
            parts.append("z")
            continue
        x, y = (round(10 * float(next(numbers))) for _ in range(2))
        right, down = (x, y) if command == "M" else (x - at[0], y - at[1])
        parts.append(f"{'M' if command == 'M' else 'l'}{right / 10:g} {down / 10:g}")
        at = x, y
    return "".join(parts).replace(" -", "-")


def _themed(color: re.Match[str]) -> str:
    return f"var({THEME[color[0]]})" if color[0] in THEME else color[0]


def _image(content: bytes, alt: str, size: str) -> str:
    from base64 import b64encode

    return f'<img src="data:image/png;base64,{b64encode(content).decode()}" alt="{escape(alt, quote=True)}"{size}>'
