"""A hundred runs with everything that runs keep: their page is small enough to send."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fedmed.comparison.read import read
from fedmed.report import page
from fedmed.rundir.kept_images import ImagePanel, KeptImages, save
from tests.fabricated import CONFIG, run, strategy
from tests.report.evaluated import evaluate

METHODS = ("fedavg", "fedprox", "fednpr", "fedplvm", "moon")


def hundred(folder: Path) -> Path:
    """Five methods in four worlds with five seeds each: twenty rounds, ten clients, images of 64 pixels."""
    g = np.random.default_rng(0)
    for world in range(4):
        x = g.integers(0, 255, (6, 1, 64, 64)).astype(np.uint8)
        truth = g.integers(0, 2, (6, 64, 64)).astype(np.uint8)
        for number, method in enumerate(METHODS):
            for seed in range(5):
                place = folder / f"{method}{seed}{world}"
                curve = (0.9 - 0.5 / np.arange(1, 21) + 0.01 * number + 0.01 * g.normal(size=20)).tolist()
                partition = {**CONFIG["partition"], "alpha": float(world + 1)}
                config = {"partition": partition, "strategy": strategy(method)}
                run(place, seed=seed, auc=curve[-1], config=config, curve=curve, clients=g.random(10).tolist())
                rows = [
                    {"round": n, "client": c, f"{method}.cosine.own": 0.5, f"{method}.sent.0": 2.0}
                    for n in range(1, 21)
                    for c in range(10)
                ]
                (place / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
                test = ImagePanel(
                    index=np.arange(6), x=x, truth=truth, predicted=g.integers(0, 2, (6, 64, 64), np.uint8)
                )
                save(KeptImages(kind="segmentation", names=("background", "lesion"), test=test), place)
                evaluate(place, classes=9, images=900, strength=2, seed=seed)
    return folder


@pytest.mark.slow
def test_the_page_of_a_hundred_runs_can_be_sent(tmp_path: Path) -> None:
    path = page.write(read([hundred(tmp_path / "runs")]), tmp_path / "out")
    assert path.stat().st_size < 6e6
