from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

from fedmed.tuning.search import Search, Trial
from fedmed.tuning.space import Axis

MU = Axis(key="mu", low="0.001", high="1.0", log=True)
EPOCHS = Axis(key="epochs", low="1", high="5", whole=True)
BATCH = Axis(key="batch_size", choices=("10", "32"))


def search(folder: Path, *axes: Axis, greater: bool = True, seed: int = 100, **defaults: Any) -> Search:
    known = {axis.key: None for axis in axes} | defaults
    return Search(
        folder / "study.db", "fedprox", axes or (MU,), greater=greater, seed=seed, defaults=known or {"mu": 9}
    )


def steps(found: Search, number: int) -> list[tuple[str, ...]]:
    """The overrides of so many trials, each as good as its mu is near 0.1."""
    tried = []
    for _ in range(number):
        trial = found.next()
        tried.append(trial.overrides)
        mu = float(trial.overrides[0].partition("=")[2])
        found.tell(replace(trial, value=-abs(mu - 0.1)))
    return tried


def test_values_are_of_the_axes(tmp_path: Path) -> None:
    found = search(tmp_path, MU, EPOCHS, BATCH)
    for mu, epochs, batch in steps(found, 8):
        assert 0.001 <= float(mu.removeprefix("mu=")) <= 1
        assert epochs.removeprefix("epochs=") in "12345"
        assert batch in ("batch_size=10", "batch_size=32")


def test_the_first_trial_is_the_defaults_where_the_ranges_hold_them(tmp_path: Path) -> None:
    found = search(tmp_path, MU, EPOCHS, BATCH, mu=0.5, epochs=2, batch_size=32)
    assert found.next().overrides == ("mu=0.5", "epochs=2", "batch_size=32")


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    for name in ("straight", "stopped"):
        (tmp_path / name).mkdir()
    straight = steps(search(tmp_path / "straight"), 9)
    stopped = steps(search(tmp_path / "stopped"), 4) + steps(search(tmp_path / "stopped"), 5)
    assert stopped == straight
    assert len(set(straight)) == 9


def test_another_seed_tries_other_values(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    assert steps(search(tmp_path / "one"), 3) != steps(search(tmp_path / "other", seed=7), 3)


def test_a_trial_that_was_stopped_is_still_open(tmp_path: Path) -> None:
    begun = search(tmp_path).next()
    again = search(tmp_path)
    assert again.open() == [begun]
    again.tell(replace(begun, value=0.5))
    assert (again.open(), [trial.value for trial in again.ended()]) == ([], [0.5])


@pytest.mark.parametrize(("greater", "best"), [(True, 2), (False, 0)])
def test_the_best_is_the_best_that_did_not_fail(tmp_path: Path, greater: bool, best: int) -> None:
    found = search(tmp_path, greater=greater)
    assert found.best() is None
    for value in (0.1, None, 0.9, 0.9):
        found.tell(replace(found.next(), value=value, why="" if value else "the loss is not finite"))
    chosen = found.best()
    assert chosen
    assert chosen.number == best
    assert [trial.why for trial in found.ended()] == ["", "the loss is not finite", "", ""]


def test_the_search_finds_what_is_good(tmp_path: Path) -> None:
    found = search(tmp_path)
    steps(found, 25)
    best = found.best()
    assert isinstance(best, Trial)
    assert 0.05 < float(best.overrides[0].removeprefix("mu=")) < 0.2
