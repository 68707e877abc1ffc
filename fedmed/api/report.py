"""The page about runs, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report import page
from fedmed.report.tables import files


def write_report(directories: Sequence[Path], folder: Path) -> Path:
    """Writes page, tables and figures of runs into a folder; the page's path."""
    summary = summarise(read(directories))
    files.write_summary(summary, folder)
    return page.write_summary(summary, folder)
