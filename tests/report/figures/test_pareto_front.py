from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.report.figures.pareto_front import front_figures
from fedmed.report.figures.svg import RenderedFigure
from tests import fabricated
from tests.report.figures.memory_figures import drawn_from


def rows(*values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


MEMORY: dict[str, Any] = {
    "rays": rows((0.9, 0.1), (0.5, 0.5), (0.1, 0.9)),
    "losses": rows((0.2, 0.9), (0.6, 0.95), (0.8, 0.3)),
    "front": torch.tensor([True, False, True]),
    "clients": torch.tensor([2, 0, 1]),
    "objective": torch.tensor([1, 0, 0]),
    "preferred": rows((0.2, 0.8), (1.0, 0.0), (0.8, 0.2)),
    "hypervolume": 1.234,
}


def drawn(folder: Path, memory: dict[str, Any], audited: str = "my_method.loss.ray") -> list[RenderedFigure]:
    """The figures of a run whose method keeps so much on the server, and audits a quantity."""
    path = fabricated.run(folder / "run", curve=[0.1, 0.2])
    audit = [{"round": 2, "client": 0, audited: 0.4}]
    (path / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in audit), encoding="utf-8")
    found, notes = drawn_from(path, memory, front_figures)
    assert notes == []
    return found


def test_compromises_are_drawn_with_clients_at_the_rays_nearest_to_theirs(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, MEMORY)
    assert picture.title == "Compromises"
    assert "Clients 0, 1 at (0.20, 0.90); 2 at (0.80, 0.30)." in picture.alt
    assert "loss of clients 0, 1" in picture.markup
    assert "loss of client 2" in picture.markup
    assert "1.23" in picture.note


def test_of_three_objectives_the_two_most_at_odds_are_drawn(tmp_path: Path) -> None:
    more = {
        "losses": rows((0.2, 0.25, 0.9), (0.5, 0.5, 0.5), (0.8, 0.7, 0.3)),
        "rays": rows((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "preferred": torch.eye(3, dtype=torch.float64),
        "clients": torch.arange(3),
        "objective": torch.arange(3),
    }
    (picture,) = drawn(tmp_path, MEMORY | more)
    assert "loss of client 0" in picture.markup
    assert "loss of client 2" in picture.markup
    assert "loss of client 1" not in picture.markup


@pytest.mark.parametrize(
    "memory",
    [
        {},
        {name: value for name, value in MEMORY.items() if name != "front"},
        MEMORY | {"rays": torch.zeros(2, 2)},
        MEMORY | {"preferred": torch.zeros(3, 3)},
        MEMORY | {"losses": torch.zeros(3, 1), "rays": torch.zeros(3, 1)},
    ],
    ids=["nothing", "no front", "other rays", "other objectives", "one objective"],
)
def test_what_has_no_front_has_no_figure(memory: dict[str, Any], tmp_path: Path) -> None:
    assert drawn(tmp_path, memory) == []


def test_runs_that_audit_no_such_thing_are_not_looked_into(tmp_path: Path) -> None:
    assert drawn(tmp_path, MEMORY, audited="my_method.loss") == []
