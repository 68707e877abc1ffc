"""Figures as files and on the page: SVG with the page's own colours and font, or PNG where that is smaller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from fedmed.files import write_atomically
from fedmed.report.figures.style import THEME
from fedmed.report.figures.tooltips import Tooltip, svg_group
from fedmed.report.sanitise import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def render_figure(
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
        write_atomically(folder / f"{name}.png", png_bytes(figure))
    size = f' width="{figure.get_figwidth() * 96:.0f}"' if wide else ""
    markup = inline_svg(svg, alt, size)
    if len(markup) > LARGE and len(small := _image(png_bytes(figure), alt, size)) < len(markup):
        markup = small
    else:
        markup = markup.removesuffix("</svg>") + svg_group(tooltips) + "</svg>"
    return RenderedFigure(name=name, title=title, note=note, alt=alt, markup=markup, wide=wide)


def png_bytes(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG, 200 pixels per inch, on white."""
    content = BytesIO()
    figure.savefig(content, format="png", dpi=200, facecolor="white")
    return content.getvalue()


def inline_svg(svg: str, alt: str, size: str = "") -> str:
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
    body = re.sub(r' d="([^"]*)"', lambda found: f' d="{relative_path(found[1])}"', body)
    label = escape(alt, quote=True)
    return f'<svg {box[0] if box else ""}{size} role="img" aria-label="{label}">{body.rstrip()}'


def _shorter(attribute: re.Match[str]) -> str:
    """Places with two decimals: a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r"\s+", " ", attribute[0]))


def relative_path(path: str) -> str:
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
