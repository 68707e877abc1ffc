"""A client that fails leaves everything as it was; a method sees no truth and no test images."""

from dataclasses import dataclass, replace

import pytest
import torch

from fedmed.data.examples import Examples
from fedmed.method import Batch, Client, Method, Payload, chain
from tests.conformance.cases import Case
from tests.toys import copied, federate, grid_of, same


class OutageError(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class Failing(Method):
    """Fails at client 1 in round 2, as long as `fails` holds anything."""

    stage: str = "penalty"
    fails: tuple[list[int], ...] = ()

    def penalty(self, client: Client, batch: Batch) -> float:
        self._maybe(client, "penalty", client.step == 1)
        return 0.0

    def report(self, client: Client) -> Payload:
        self._maybe(client, "report", True)
        return {}

    def _maybe(self, client: Client, stage: str, here: bool) -> None:
        if self.fails[0] and stage == self.stage and here and (client.id, client.round) == (1, 2):
            raise OutageError


@pytest.mark.parametrize("stage", ["penalty", "report"])
def test_a_failing_client_changes_nothing(home: Case, method: Method, stage: str) -> None:
    trouble = [1]
    both = chain(method, Failing(stage=stage, fails=(trouble,)))
    one = federate(home.toy, both, rounds=1)
    shared, memory, progress = copied(one.shared), one.memory(1), one.progress
    before = copied({"memory": memory, "inbox": progress.inbox, "state": progress.state})
    with pytest.raises(OutageError) as caught:
        federate(home.toy, both, rounds=2, shared=one.shared, grid=one.grid, progress=progress)
    stages = {"penalty": "training", "report": "report"}
    assert f"client 1, round 2, stage {stages[stage]}, strategy {home.name}+" in str(caught.value.__notes__)
    assert same(one.shared, shared)
    assert same({"memory": one.memory(1), "inbox": progress.inbox, "state": progress.state}, before)
    assert progress.round == 1


def test_the_next_round_forgets_a_failed_one(home: Case, method: Method) -> None:
    """A fresh grid with the memory of before: client 0 of the failed round did finish, so its memory moved on."""
    trouble: list[int] = []
    both = chain(method, Failing(fails=(trouble,)))
    straight = federate(home.toy, both, rounds=2)
    trouble.append(1)
    grid = grid_of(home.toy, both)
    one = federate(home.toy, both, rounds=1, grid=grid)
    kept = {client: grid.memory(client).copy() for client in range(3)}
    with pytest.raises(OutageError):
        federate(home.toy, both, rounds=2, shared=one.shared, grid=grid, progress=one.progress)
    trouble.clear()
    for client, records in kept.items():
        grid.memory(client).update(records)
    again = federate(home.toy, both, rounds=2, shared=one.shared, grid=grid, progress=one.progress)
    assert same(again.shared, straight.shared)
    assert all(same(again.memory(client), straight.memory(client)) for client in range(3))


def test_test_and_validation_images_change_nothing(home: Case, method: Method) -> None:
    toy = home.toy
    other = replace(toy, shares=tuple(replace(s, val=_garbage(s.val), test=_garbage(s.test)) for s in toy.shares))
    assert same(federate(toy, method).shared, federate(other, method).shared)


def test_a_client_shows_training_images_and_those_that_a_method_said_it_needs() -> None:
    shown = {name for name in dir(Client) if not name.startswith("_")}
    shown.remove("own_val")  # which judges no round, and is refused to methods that do not say so (test_own_val.py)
    assert not [name for name in shown if any(word in name for word in ("val", "test", "audit", "truth", "clean"))]
    assert {name for name in shown if "train" in name} == {"train"}


def _garbage(held: Examples) -> Examples:
    return replace(held, x=torch.full_like(held.x, torch.nan), y=torch.zeros_like(held.y))
