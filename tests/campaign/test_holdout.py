"""Which runs leave one site out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fedmed.campaign.grid import PlannedRun, grid
from fedmed.comparison.settings import base_name
from fedmed.errors import UserError
from tests.campaign.conftest import MakeGrid

SITES = ("dataset.sites=3", "partition=site", "clients=null")


def held_out(runs: list[PlannedRun]) -> list[str]:
    return [run.config["dataset.held_out_site"] for run in runs]


def test_every_run_is_made_once_for_each_site_with_its_references(small: MakeGrid) -> None:
    runs = small(*SITES, "strategy=fedavg,fedprox", "seed=0,1", "holdout=each", references=True)
    assert Counter(map(base_name, (run.config for run in runs))) == dict.fromkeys(
        ("fedavg", "fedprox", "local-only", "pooled"), 6
    )
    assert Counter(held_out(runs)) == {"site 0": 8, "site 1": 8, "site 2": 8}
    assert runs[0].label == "dataset.held_out_site=site 0: fedavg seed=0"
    assert len({run.directory for run in runs}) == 24
    again = small(*SITES, "strategy=fedavg", "seed=0", "holdout=each")
    assert {run.key for run in again} < {run.key for run in runs}, "what is done once is not done again"


def test_sites_of_a_file_keep_their_names_and_each_dataset_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, sites in {"a": [7, 9, 12], "b": ["Bern", "Rome"]}.items():
        images = np.zeros((12, 8, 8), np.uint8)
        where = np.repeat(sites, 12 // len(sites))
        np.savez(tmp_path / f"{name}.npz", images=images, labels=np.tile([0, 1], 6), sites=where)
    given = ("dataset=npz", "dataset.path=a.npz,b.npz", "partition=site", "clients=null", "seed=0", "holdout=each")
    monkeypatch.chdir(tmp_path)
    runs = grid(given, root=tmp_path / "runs", with_references=False)
    assert held_out(runs) == ["7", "9", "12", "Bern", "Rome"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("holdout=each",), "holdout: expected a dataset of two sites or more, got one that names no sites"),
        ((*SITES, "holdout=eech"), "holdout: expected each, got eech. Did you mean each"),
        ((*SITES, "holdout="), "holdout: expected each, got nothing"),
        ((*SITES, "holdout=each", "dataset.held_out_site=1"), "expected null, as holdout=each, got 1"),
        ((*SITES, "holdout=each", "engine=superlink", "engine.sites=true"), "images in one place"),
    ],
)
def test_what_has_no_site_to_leave_out_is_refused(small: MakeGrid, given: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError) as refused:
        small("seed=0", *given)
    assert said in str(refused.value)
