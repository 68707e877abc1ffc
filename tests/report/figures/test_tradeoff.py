"""The figure of efficiency against fairness."""

from __future__ import annotations

from pathlib import Path

from fedmed.report.figures.tradeoff import TradeoffPlot, TradeoffPoint, tradeoff_figure

CURVE = [TradeoffPoint("1", 4.0, 0.9), TradeoffPoint("2", 3.9, 0.95)]


def test_points_are_drawn_named_and_told(tmp_path: Path) -> None:
    plots = [TradeoffPlot("left", CURVE), TradeoffPlot("right", CURVE, [TradeoffPoint("fcfs", 3.5, 0.8)])]
    found = tradeoff_figure(plots, tmp_path, name="t", title="T", curve="by beta", x="fairness")
    assert found.alt == (
        "T. left: 1 4.000 at 0.900, 2 3.900 at 0.950; right: 1 4.000 at 0.900, 2 3.900 at 0.950, fcfs 3.500 at 0.800."
    )
    svg = (tmp_path / "t.svg").read_text(encoding="utf-8")
    assert all(f">{label}<" in svg for label in ("1", "2", "● fcfs", "left", "right", "● by beta"))
    assert svg.count(">fairness<") == 2
    assert (tmp_path / "t.png").stat().st_size > 1000


def test_one_point_and_no_others(tmp_path: Path) -> None:
    tradeoff_figure([TradeoffPlot("one", CURVE[:1])], tmp_path, name="t", title="T", curve="by beta", x="x")
    assert (tmp_path / "t.svg").is_file()
