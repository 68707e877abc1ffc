"""Cells of equal mass on the simplex, and a ray from each in every round."""

import numpy as np
import pytest
import torch

from fedmed.strategies._rays import Points, cells, rays, sites


def unevenness(centres: Points) -> float:
    """CV^2 of the mass of the cells, on points that nobody has seen."""
    fresh = np.random.default_rng(7).dirichlet(np.ones(centres.shape[1]), 50_000)
    mass = np.bincount(cells(fresh, centres), minlength=len(centres))
    return float(mass.var() / mass.mean() ** 2)


@pytest.mark.parametrize(("objectives", "n"), [(2, 8), (3, 16), (5, 16), (7, 8), (3, 20)])
def test_cells_hold_equal_shares_of_the_simplex(objectives: int, n: int) -> None:
    found = sites(objectives, n)
    random = np.random.default_rng(1).dirichlet(np.ones(objectives), (20, n))
    usual = float(np.mean([unevenness(each) for each in random]))
    assert unevenness(found) < min(0.05, usual / 5)
    assert found.sum(1) == pytest.approx(1)
    assert (found >= 0).all()


def test_every_cell_has_a_ray_and_another_one_in_another_round() -> None:
    one, again, later, other = (rays(3, 8, seed=s, round=r) for s, r in ((0, 1), (0, 1), (0, 2), (1, 1)))
    for found in (one, later, other):
        assert cells(found.numpy(), sites(3, 8)).tolist() == [*range(8)]
        assert found.sum(1).tolist() == pytest.approx([1] * 8)
    assert torch.equal(one, again)
    assert not torch.equal(one, later)
    assert not torch.equal(one, other)


def test_a_cell_that_nothing_is_drawn_from_gives_its_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedmed.strategies._rays.DRAWS", 1)
    found = rays(2, 4, seed=0, round=1).numpy()
    assert (found == sites(2, 4)).all(1).sum() == 3
