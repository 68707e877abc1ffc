"""The federation of an experiment, before anyone trains."""

from __future__ import annotations

from html import escape
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from fedmed.api.run import html_table
from fedmed.experiment import Experiment
from fedmed.report.figures.federation import federation_png
from fedmed.run.federation import describe as summarised
from fedmed.rundir.federation import FederationSummary
from fedmed.terminal.federation import federation_text


def describe(experiment: Experiment) -> Description:
    """Who holds how many of what in an experiment; trains nothing. Raises `UserError` where the data cannot be used."""
    return Description(summarised(experiment))


class Description:
    """Who holds how many of what: printed a table, in a notebook one too, as a picture by `png`."""

    def __init__(self, summary: FederationSummary) -> None:
        self.summary = summary

    @property
    def clients(self) -> list[dict[str, Any]]:
        """A row per client: its images in each part, and its training images by class."""
        found = self.summary
        return [
            {
                "client": name,
                **dict(zip(("train", "val", "test"), map(int, images), strict=True)),
                **{str(cls): int(count) for cls, count in zip(found.class_names, counts, strict=True)},
            }
            for name, images, counts in zip(found.client_names, found.images, found.counts, strict=True)
        ]

    def png(self, path: str | Path = "federation.png") -> Path:
        """Draws it into a file and returns its path."""
        federation_png(self.summary, Path(path))
        return Path(path)

    def __str__(self) -> str:
        return federation_text(self.summary, get_terminal_size().columns)

    def __repr__(self) -> str:
        return f"Description({self.summary.title!r}, {len(self.summary.client_names)} clients)"

    def _repr_html_(self) -> str:
        rows = self.clients
        table = html_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows]) if rows else ""
        return f"<p><b>{escape(self.summary.title)}</b></p>{table}"
