"""Templates of pages, filled in: what comes from runs is escaped, and style and script are part of the page."""

from __future__ import annotations

from typing import Any

from fedmed import __version__
from fedmed.report.sanitise import printable

ASSETS = {"style": "style.css", "script": "page.js"}


def render_template(name: str, **content: Any) -> str:
    """The page as text. name: of a template beside this file."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("fedmed.report", "template")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    assets = {name: Markup(loader.get_source(pages, file)[0]) for name, file in ASSETS.items()}
    return printable(pages.get_template(name).render(version=__version__, **content, **assets))
