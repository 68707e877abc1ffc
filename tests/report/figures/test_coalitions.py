from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.figures import style
from fedmed.report.figures.coalitions import coalition_figures
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.svg import RenderedFigure
from tests import fabricated
from tests.report.figures.memory_figures import drawn_from

MEMORY: dict[str, Any] = {
    "benefit": torch.tensor([[0, 0, 0.4], [0.1, 0, 0], [0.3, 0, 0]], dtype=torch.float64),
    "partition": torch.tensor([0, 1, 0]),
    "rivals": torch.tensor([[False, True, False], [True, False, False], [False, False, False]]),
    "audit": {"rand": 1.0, "margin": 0.08, "blocking": 1.0},
}


def drawn(folder: Path, memory: dict[str, Any], *, models: bool = True) -> tuple[list[RenderedFigure], list[str]]:
    """The figures of a run whose method keeps so much on the server, and what could not be read."""
    path = fabricated.run(folder / "run", curve=[0.1, 0.2])
    if models:
        rows = [{"round": 1, "client": client, "model": 0} for client in range(3)]
        (path / "clients.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return drawn_from(path, memory, coalition_figures)


def test_coalitions_are_drawn_and_told(tmp_path: Path) -> None:
    (picture,), notes = drawn(tmp_path, MEMORY)
    assert picture.title == "Coalitions"
    assert "2 coalitions: 0, 2; 1." in picture.alt
    assert "Adjusted Rand index against the true groups 1.00." in picture.alt
    assert "No gain is nearer than 0.08 to the threshold. Some clients would gain by leaving" in picture.alt
    assert [picture.markup.count(f">{gain}<") for gain in (".40", ".30", ".10")] == [1, 1, 0], "rivals have no gain"
    assert notes == []


@pytest.mark.parametrize(
    "memory",
    [
        {},
        {"benefit": MEMORY["benefit"]},
        MEMORY | {"partition": torch.zeros(2)},
        MEMORY | {"rivals": torch.zeros(2, 2)},
    ],
    ids=["nothing", "no partition", "other clients", "other rivals"],
)
def test_what_has_no_coalitions_has_no_figure(memory: dict[str, Any], tmp_path: Path) -> None:
    assert drawn(tmp_path, memory) == ([], [])


def test_runs_of_one_model_are_not_looked_into(tmp_path: Path) -> None:
    assert drawn(tmp_path, MEMORY, models=False) == ([], [])


def test_a_memory_that_is_damaged_is_told(tmp_path: Path) -> None:
    drawn(tmp_path, MEMORY)
    (file,) = (tmp_path / "run" / "checkpoints").glob("server_*.pt")
    file.write_bytes(b"damage")
    summary, notes = summarise(read([tmp_path / "run"])), list[str]()
    with style.figure_style():
        assert coalition_figures(FigureContext(summary=summary), summary.comparison.worlds[0], notes) == []
    assert len(notes) == 1
    assert "server_2.pt" in notes[0]
