"""FedMLP whose first stage lasts until the AUC of annotated findings has stopped rising."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from fedmed.engine.pool import PoolEngine
from fedmed.flower import ServerState
from fedmed.flower.records import save_memory
from fedmed.method import Payload, Report, Server, chain
from fedmed.strategies.fedmlp import FedMLP
from tests.strategies.test_fedmlp_rounds import CLIENTS, hiding
from tests.toys import Ended, federate, grid_of, same, trainer_of

KNEE = FedMLP(trigger="knee", window=1, fall=0.5, min_tag=2, adaptive=False)
CURVE = [0.5, 0.6, 0.75, 0.83, 0.88, 0.89, 0.89, 0.89]


def told(area: float, client: int) -> Report:
    payload = {"ranked": torch.tensor([[area * 50], [50]], dtype=torch.float64)}
    return Report(client=client, examples=9, loss=0.0, payload=payload, weights={})


def inboxes(method: FedMLP, curve: Sequence[float], rounds: int = 9) -> list[Payload]:
    """What clients are sent after each round in which two of them tell such an AUC."""
    state: dict[str, object] = {}
    found = []
    for round, area in enumerate(curve, start=1):
        server = Server(round=round, rounds=rounds, seed=0, clients=(0, 1), shared={}, state=state)
        found.append(method.combine(server, [told(area + 0.01, 0), told(area - 0.01, 1)]))
    return found


def test_stage_1_ends_one_round_after_the_knee() -> None:
    """The largest rise is .15, in round 3; that of round 5 is below its half, so that round 6 sends prototypes."""
    sent = inboxes(KNEE, CURVE[:7])
    assert [int(inbox["last"]) if "last" in inbox else None for inbox in sent] == [None] * 4 + [6] * 3


def test_a_client_that_is_not_asked_counts_as_it_last_told() -> None:
    state: dict[str, object] = {}
    for round, reports in ((1, [told(0.5, 0), told(0.9, 7)]), (2, [told(0.7, 0)])):
        KNEE.combine(Server(round=round, rounds=9, seed=0, clients=(0, 7), shared={}, state=state), reports)
    curve = state["curve"]
    assert isinstance(curve, torch.Tensor)
    assert curve.flatten().tolist() == pytest.approx([1, 0.7, 2, 0.8])


def test_a_run_that_ends_on_the_rise_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="has not stopped rising"):
        inboxes(KNEE, CURVE[:3], rounds=3)


def knees(rounds: int, **options: object) -> Ended:
    return federate(hiding(), KNEE, rounds=rounds, clients_per_round=2, **options)


@pytest.mark.filterwarnings("ignore:fedmlp tags nothing")
def test_it_tags_after_the_knee_and_goes_on_to_the_same_bits() -> None:
    straight = knees(8)
    (last,) = {int(inbox["last"]) for inbox in straight.progress.inbox.values() if "last" in inbox}
    assert 1 < last < 8
    assert any((straight.memory(client)["fedmlp"].get("tag", torch.tensor(-1)) >= 0).any() for client in range(CLIENTS))
    for stop in (last - 1, last, last + 1):
        half = knees(stop)
        grid, progress = grid_of(hiding(), KNEE), ServerState()
        for client in range(CLIENTS):
            save_memory(half.memory(client), grid.memory(client))
        progress.restore(stop, half.progress.kept())
        resumed = knees(8, shared=half.shared, grid=grid, progress=progress)
        assert same(resumed.shared, straight.shared)
        assert same(resumed.progress.kept(), straight.progress.kept())
        assert all(same(resumed.memory(client), straight.memory(client)) for client in range(CLIENTS))


@pytest.mark.filterwarnings("ignore:fedmlp tags nothing")
def test_worker_processes_find_the_same_knee() -> None:
    with PoolEngine(workers=2).grid(trainer_of(hiding(), KNEE), CLIENTS) as pool:
        two = knees(8, grid=pool)
    one = knees(8)
    assert same(two.shared, one.shared)
    assert same(two.progress.kept(), one.progress.kept())


def test_only_the_knee_costs_validation_images() -> None:
    assert chain(KNEE).needs_val
    assert not chain(FedMLP()).needs_val
    assert not chain(FedMLP(trigger="never")).needs_val
