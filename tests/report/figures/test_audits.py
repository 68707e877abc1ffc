from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.summary import summarise
from fedmed.report.figures import style
from fedmed.report.figures.audits import PLOTS, audit_figures
from fedmed.report.figures.context import FigureContext
from fedmed.report.figures.svg import RenderedFigure
from tests import fabricated


def drawn(folder: Path, names: Sequence[str], rounds: int = 3) -> list[RenderedFigure]:
    """The audit figures of a run whose method notes quantities of those names."""
    path = fabricated.run(folder / "run", curve=[0.1, 0.2])
    rows = [
        {"round": n, "client": c, "completeness": 0.5 * c, **dict.fromkeys(names, 0.1 * n)}
        for n in range(1, rounds + 1)
        for c in (0, 1)
    ]
    (path / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    summary = summarise(read([path]))
    with style.figure_style():
        return audit_figures(FigureContext(summary=summary, folder=None), summary.comparison.worlds[0])


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (["fedia.indicator", "fedia.added.precision"], ["Indicator against truth", "What was added to the annotation"]),
        (["fedmlp.tag_precision.0", "fedmlp.tag_precision.3", "fedmlp.positives.1"], ["Tags"]),
        (["fednpr.cosine.own", "fednpr.cosine.other", "fednpr.purity"], ["Similarity of features"]),
        (["fedplvm.sent.0", "fedplvm.received.0", "fedplvm.sent.bytes"], ["Prototypes"]),
        (["my_method.cosine.own"], ["Similarity of features"]),
        (["my_method.drift", "my_method.drift.0"], ["my_method"]),
        ([], []),
    ],
)
def test_figures_are_chosen_by_what_is_audited(names: list[str], titles: list[str], tmp_path: Path) -> None:
    assert [picture.title for picture in drawn(tmp_path, names)] == titles


def test_an_indicator_is_held_against_the_truth(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, ["fedia.indicator"])
    assert picture.alt.endswith("2 clients; on average the estimate is 0.250 away from the truth.")


def test_prototypes_are_added_up_and_bytes_left_out(tmp_path: Path) -> None:
    (picture,) = drawn(tmp_path, ["m.sent.0", "m.sent.1", "m.sent.bytes"])
    assert picture.alt.endswith("At the end: sent 0.6.")


def test_one_round_is_no_line(tmp_path: Path) -> None:
    assert drawn(tmp_path, ["m.drift"], rounds=1) == []


def test_every_plot_says_how_to_read_it() -> None:
    assert [plot.title for plot in PLOTS if not (plot.note.endswith(".") and plot.y)] == []
