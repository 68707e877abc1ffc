"""Fronts, hypervolumes and their gradients: the specification's numbers, central differences, and two toy fronts."""

from __future__ import annotations

from collections.abc import Callable
from math import e, sqrt

import pytest
import torch
from torch import Tensor, nn

from fedmed import rng
from fedmed.strategies._pareto import coefficients, fronts, gradient, hypervolume, moved
from fedmed.strategies._rays import rays


def points(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def draws() -> torch.Generator:
    return rng.generator(0, "test")


TWO = points((0.2, 0.8), (0.5, 0.5), (0.9, 0.1))
THREE = points((0.2, 0.7, 0.6), (0.6, 0.2, 0.5), (0.5, 0.6, 0.1))
ONES = torch.ones(3, dtype=torch.float64)


def test_golden_numbers_of_two_objectives() -> None:
    assert hypervolume(TWO, ONES[:2]) == pytest.approx(0.35)
    assert gradient(TWO, ONES[:2], draws()).tolist() == pytest.approx(points((0.2, 0.3), (0.3, 0.4), (0.4, 0.1)))
    found = coefficients(TWO, points((0.1, 0.9), (0.5, 0.5), (0.9, 0.1)), moved(ONES[:2], TWO), 1.0, draws())
    assert torch.allclose(found, points((1.2618, 0.1249), (0.6, 0.8), (0.9701, 0.2425)), atol=1e-4)


def test_golden_numbers_of_three_objectives() -> None:
    assert hypervolume(THREE, ONES) == pytest.approx(0.296)
    exact = points((0.12, 0.12, 0.09), (0.20, 0.20, 0.16), (0.24, 0.25, 0.20))
    found = gradient(THREE, ONES, draws())
    assert (found - exact).abs().max() < 0.016
    assert not torch.equal(found, exact), "estimated, not read from here"


@pytest.mark.parametrize("objectives", [2, 3])
def test_gradients_are_central_differences_of_the_hypervolume(objectives: int) -> None:
    drawn = torch.rand(12, objectives, generator=draws(), dtype=torch.float64)
    front, ref = drawn[fronts(drawn)[0]], 1.2 * ONES[:objectives]
    assert len(front) >= 3
    found, step = gradient(front, ref, draws()), 1e-6
    for k in range(len(front)):
        for j in range(objectives):
            move = torch.zeros_like(front)
            move[k, j] = step
            exact = (hypervolume(front - move, ref) - hypervolume(front + move, ref)) / (2 * step)
            assert found[k, j].item() == pytest.approx(exact, abs=1e-6 if objectives == 2 else 0.03)


def test_a_hypervolume_of_many_objectives_is_estimated_and_always_the_same() -> None:
    one = torch.full((1, 5), 0.5, dtype=torch.float64)
    both = torch.cat([one, points((0.2, 0.9, 0.9, 0.9, 0.9))])
    exact = 0.5**5 + 0.8 * 0.1**4 - 0.5 * 0.1**4
    assert hypervolume(one, torch.ones(5, dtype=torch.float64)) == pytest.approx(0.5**5)
    found = hypervolume(both, torch.ones(5, dtype=torch.float64))
    assert found == pytest.approx(exact, rel=0.1)
    assert hypervolume(both, torch.ones(5, dtype=torch.float64)) == found


def test_fronts_are_sorted_and_equal_rows_share_one() -> None:
    found = fronts(points((0.5, 0.5), (0.6, 0.6), (0.2, 0.8), (0.5, 0.5), (0.7, 0.7), (0.5, 0.6)))
    assert [front.tolist() for front in found] == [[0, 2, 3], [5], [1], [4]]


@pytest.mark.parametrize("objectives", [2, 3])
def test_what_covers_nothing_of_its_own_counts_evenly(objectives: int) -> None:
    twice = torch.full((2, objectives), 0.5, dtype=torch.float64)
    beyond = torch.full((1, objectives), 0.1, dtype=torch.float64)
    beyond[0, 0] = 3.0
    losses = torch.cat([twice, beyond])
    assert not gradient(losses, ONES[:objectives], draws()).any()
    even = torch.full((3, objectives), 1 / objectives, dtype=torch.float64)
    found = coefficients(losses, even, ONES[:objectives], 0.0, draws())
    assert torch.allclose(found, torch.full_like(found, 1 / sqrt(objectives)))


def test_a_loss_on_its_line_is_not_pushed_and_one_beside_it_is_pushed_back() -> None:
    ray = points((0.3, 0.7))
    on, beside = points((0.4, 0.8)), points((0.4, 0.6))
    plain = coefficients(on, ray, ONES[:2], 0.0, draws())
    assert torch.allclose(coefficients(on, ray, ONES[:2], 1.0, draws()), plain, atol=1e-6)
    pushed = coefficients(beside, ray, ONES[:2], 1.0, draws()) - coefficients(beside, ray, ONES[:2], 0.0, draws())
    assert pushed.tolist()[0] == pytest.approx([sqrt(0.5), -sqrt(0.5)]), "the second loss is too good for its ray"


def test_the_reference_moves_where_losses_come_near() -> None:
    assert moved(ONES[:2], points((0.2, 1.5), (0.9, 0.1))).tolist() == pytest.approx([1, 1.65])


Losses = Callable[[Tensor], Tensor]


def convex(x: Tensor) -> Tensor:
    """(n, d) -> (n, 2); each objective is 1 where the other is 0."""
    return torch.stack([x.square().mean(1), (x - 1).square().mean(1)], dim=1)


def concave(x: Tensor) -> Tensor:
    """(n, d) -> (n, 2), on a front of which weighted sums find the ends."""
    at = 1 / sqrt(x.shape[1])
    return torch.stack([1 - torch.exp(-(x - at).norm(dim=1)), 1 - torch.exp(-(x + at).norm(dim=1))], dim=1)


def trained(losses: Losses, how: str, *, steps: int, seed: int = 0) -> Tensor:
    """Losses (101, 2) of a generator over all rays from (0, 1) to (1, 0), after its training."""
    with rng.seeded(seed, "toy"):
        net = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 20))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    ref = torch.full((2,), 2.0, dtype=torch.float64)
    distance = {"linear": 0.0, "hypervolume": 0.0, "hypervolume and distance": 1.0}[how]
    for step in range(steps):
        r = rays(2, 16, seed=seed, round=step)
        found = losses(net(r.float()))
        c = r if how == "linear" else coefficients(found.detach().double(), r, ref, distance, draws())
        optimizer.zero_grad()
        (c.float() * found).sum(1).mean().backward()
        optimizer.step()
    first = torch.linspace(0, 1, 101)
    with torch.no_grad():
        return losses(net(torch.stack([first, 1 - first], dim=1))).double()


REFERENCE = torch.full((2,), 2.0, dtype=torch.float64)
TRUE = {"convex": 2 - 1 / 6 + 2, "concave": (1 - e**-2) + 2 * e**-2 + 2 * (1 + e**-2)}
"""Hypervolumes of the whole fronts below (2, 2)."""


def test_corner_rays_reach_the_best_of_each_objective_on_a_convex_front() -> None:
    linear = trained(convex, "linear", steps=250)
    assert linear[0, 1] < 0.05
    assert linear[-1, 0] < 0.05
    placed = trained(convex, "hypervolume and distance", steps=250)
    assert placed[0, 0] < 0.05, "here a ray is a place: where it is (0, 1), the first loss is small"
    assert placed[-1, 1] < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("front", [convex, concave], ids=lambda losses: losses.__name__)
def test_a_concave_front_is_covered_better_than_by_weighted_sums(front: Losses, seed: int) -> None:
    """With -s it prints the table of seeds/phn_hvvs.md."""
    found = {
        how: hypervolume(trained(front, how, steps=2000, seed=seed), REFERENCE)
        for how in ("linear", "hypervolume", "hypervolume and distance")
    }
    print(f"\n{front.__name__}, seed {seed}: " + ", ".join(f"{how} {value:.4f}" for how, value in found.items()))
    assert max(found.values()) <= TRUE[front.__name__] + 1e-6
    gained = found["hypervolume and distance"] - found["linear"]
    assert gained >= (0.02 if front is concave else -0.01)
