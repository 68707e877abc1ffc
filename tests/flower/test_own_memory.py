"""What a method keeps or changes in place is its client's own: nothing of it reaches the net or other clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.engine.local import InProcessGrid
from fedmed.engine.pool import PoolEngine
from fedmed.errors import DamageError
from fedmed.flower import FaultTolerance, LocalGrid
from fedmed.method import Batch, Client, Method, Payload, Report, Server, chain
from tests.toys import TOYS, Ended, federate, grid_of, multiclass, same, shared_out, trainer_of

TOY = replace(TOYS["multiclass"], shares=shared_out(multiclass, 7))


@dataclass(frozen=True, kw_only=True)
class Keeper(Method):
    """Keeps tensors of the net in its state, and changes in place what all clients were sent.

    copies: keeps copies. changes: what one client changes in one round.
    """

    copies: bool = False
    changes: str = ""

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        if "weight" not in client.state:
            return 0.0
        near: Tensor = (client.model.head.weight - client.state["weight"]).square().sum()  # type: ignore[operator]
        return near + (client.state["deep"]["bias"] * client.inbox["bias"]).sum() * batch.logits.mean()

    def report(self, client: Client) -> Payload:
        weight, bias = client.model.head.weight, client.model.head.bias
        assert isinstance(weight, Tensor)
        assert isinstance(bias, Tensor)
        live = (lambda tensor: tensor.detach().clone()) if self.copies else (lambda tensor: tensor)
        client.state.update(weight=live(weight), deep={"bias": live(bias)})
        if (client.id, client.round) == (1, 2) and self.changes:
            sent = {"anchor": client.anchor["head.weight"], "inbox": client.inbox["bias"]}
            sent |= {"shared": client.shared[0].anchor, "labels": client.train.y, "images": client.given.x}
            sent[self.changes].add_(1)
        return {"bias": bias}

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        return {"bias": torch.stack([report.payload["bias"] for report in reports]).mean(0)}


def pool(method: Method) -> LocalGrid:
    return PoolEngine(workers=2).grid(trainer_of(TOY, chain(method)), len(TOY.shares))


def in_process(method: Method) -> LocalGrid:
    return grid_of(TOY, chain(method), kind=InProcessGrid)


def run(method: Method, make: Any, **options: Any) -> Ended:
    with make(method) as grid:
        return federate(TOY, chain(method), rounds=3, grid=grid, **options)


@pytest.fixture(scope="module")
def expected() -> Ended:
    return run(Keeper(copies=True), in_process)


@pytest.mark.parametrize("make", [in_process, pool])
@pytest.mark.parametrize("changes", ["", "anchor", "shared", "inbox"])
def test_what_is_kept_or_changed_in_place_is_the_clients_own(expected: Ended, make: Any, changes: str) -> None:
    ended = run(Keeper(changes=changes), make)
    assert same(ended.shared, expected.shared)
    assert same(ended.progress.inbox, expected.progress.inbox)
    for client in range(len(TOY.shares)):
        assert same(ended.memory(client), expected.memory(client)), client


@pytest.mark.parametrize("make", [in_process, pool])
@pytest.mark.parametrize(("changes", "name"), [("labels", "y"), ("images", "x")])
def test_images_and_labels_changed_in_place_end_the_run_whatever_it_tolerates(
    make: Any, changes: str, name: str
) -> None:
    rows: list[Any] = []
    own = replace(TOY, shares=shared_out(multiclass, 7))
    with pytest.raises(
        DamageError, match=rf"client 1, round 2: .* got client.train.{name} changed. Call client.relabel"
    ):
        run(Keeper(changes=changes), make, tolerance=FaultTolerance(on_client_error="skip"), on_fault=rows.append)
    assert [(row["client"], row["round"]) for row in rows] == [(1, 2)]
    TOY.shares[1].train.y.copy_(own.shares[1].train.y)
    TOY.shares[1].train.x.copy_(own.shares[1].train.x)
