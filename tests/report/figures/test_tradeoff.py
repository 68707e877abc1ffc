"""The figure of efficiency against fairness."""

from __future__ import annotations

from pathlib import Path

from fedmed.report.figures.tradeoff import TradeoffPoint, tradeoff_figure


def test_points_are_drawn_named_and_told(tmp_path: Path) -> None:
    curve = [TradeoffPoint("b=1", 4.0, 0.9), TradeoffPoint("b=2", 3.9, 0.95)]
    found = tradeoff_figure(curve, [TradeoffPoint("fcfs", 3.5, 0.8)], tmp_path, name="t", title="T", y="sum")
    assert found.alt == "T: b=1 4.000 at 0.900; b=2 3.900 at 0.950; fcfs 3.500 at 0.800."
    svg = (tmp_path / "t.svg").read_text(encoding="utf-8")
    assert all(f">{label}<" in svg for label in ("b=1", "b=2", "fcfs", "sum"))
    assert (tmp_path / "t.png").stat().st_size > 1000


def test_one_point_and_no_others(tmp_path: Path) -> None:
    tradeoff_figure([TradeoffPoint("b=1", 4.0, 0.9)], [], tmp_path, name="t", title="T", y="sum")
    assert (tmp_path / "t.svg").is_file()
