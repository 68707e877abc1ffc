"""Figures of what a method keeps on the server, drawn from the last checkpoint of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.figures import style
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.svg import RenderedFigure
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint


def drawn_from(
    run: Path, memory: dict[str, Any], figures: Callable[..., list[RenderedFigure]]
) -> tuple[list[RenderedFigure], list[str]]:
    """The figures of a run whose method keeps so much on the server, and what could not be read."""
    server = {"state": {"my_method": memory}, "inbox": {}}
    checkpoint.save(run / "checkpoints", Checkpoint(round=2, shared={"w": torch.zeros(1)}, server=server))
    summary, notes = summarise(read([run])), list[str]()
    with style.figure_style():
        return figures(FigureContext(summary=summary), summary.comparison.worlds[0], notes), notes
