"""What a method builds into the net: the same everywhere; frozen and private entries leave no client."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmed.engine.pool import PoolEngine
from fedmed.errors import DamageError, UserError
from fedmed.method import Client, Method, Setup, chain
from fedmed.models.net import Net, fixed, scope
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from tests.conformance.cases import Case
from tests.toys import TOYS, Ended, federate, initial, net_of, same, trainer_of

TOY = TOYS["multiclass"]


class Personal(nn.Module):
    """A head, with one beside it that is added to it."""

    def __init__(self, shared: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.shared, self.own = shared, nn.Linear(width, outputs)

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = self.shared(z) + self.own(z.flatten(2).mean(2) if z.dim() > 2 else z)
        return logits


@dataclass(frozen=True, kw_only=True)
class Builds(Method):
    """Freezes the first convolution, and adds a head that stays at the client."""

    local: tuple[str, ...] = ("*.own.*",)

    def build(self, net: Net, setup: Setup) -> Net:
        net.features.conv.weight.requires_grad_(False)
        z = net.features(torch.zeros(2, 1, 8, 8))
        if z.dim() > 2:
            net.features.conv.bias.requires_grad_(False)
            return net
        net.head = Personal(net.head, z.shape[1], setup.task.outputs)
        return net


@dataclass(frozen=True, kw_only=True)
class Freezes(Method):
    """Freezes the first convolution."""

    def build(self, net: Net, setup: Setup) -> Net:
        net.features.conv.weight.requires_grad_(False)
        return net


FROZEN = "features.conv.weight"


def test_built_twice_it_is_the_same_to_the_bit_and_another_for_another_seed() -> None:
    one, again, other = (net_of(TOY, Builds(), seed=seed).state_dict() for seed in (1, 1, 2))
    assert same(one, again)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"head.own.weight", "head.own.bias"}


def test_every_strategy_builds_the_same_net_twice(case: Case, method: Method) -> None:
    one, other = (net_of(case.toy, method) for _ in range(2))
    assert same(one.state_dict(), other.state_dict())
    assert fixed(one) == fixed(other)


def test_members_build_in_order_each_on_what_the_last_has_left() -> None:
    seen: list[bool] = []

    class Looks(Method):
        def build(self, net: Net, setup: Setup) -> Net:
            seen.append(setup.net is net and not net.get_parameter(FROZEN).requires_grad)
            return net

    net_of(TOY, chain(Builds(), _named(Looks, "looks")))
    assert seen == [True]


def test_frozen_and_private_entries_are_in_no_message_mean_or_checkpoint(tmp_path: Path) -> None:
    ended = federate(TOY, Builds(), rounds=3)
    net = net_of(TOY, Builds())
    apart = fixed(net) | scope(net, Builds().local)
    assert apart == {FROZEN, "head.own.weight", "head.own.bias"}
    assert not {name for _, _, tensors in ended.grid.recorded for name in tensors} & apart
    assert not ended.shared.keys() & apart
    assert [set(ended.memory(client)["@local"]) for client in range(3)] == [apart - {FROZEN}] * 3
    clients = {client: ended.memory(client) for client in range(3)}
    checkpoint.save(tmp_path, Checkpoint(round=3, shared=ended.shared, server=ended.progress.kept(), clients=clients))
    saved = checkpoint.load(tmp_path)
    assert saved is not None
    assert not saved.shared.keys() & apart
    assert all(FROZEN not in str(memory) for memory in saved.clients.values())
    assert all(result.up == result.down == sum(t.nbytes for t in ended.shared.values()) * 3 for result in ended.results)


def test_frozen_weights_stay_and_the_rest_trains() -> None:
    trainer = trainer_of(TOY, Builds())
    before = {name: tensor.clone() for name, tensor in trainer.net.state_dict().items()}
    with PoolEngine(workers=2).grid(trainer, 3) as pool:
        two = federate(TOY, Builds(), rounds=3, grid=pool)
    one = federate(TOY, Builds(), rounds=3)
    assert _equal(one, two)
    after = trainer_of(TOY, Builds()).net.state_dict()
    assert torch.equal(before[FROZEN], after[FROZEN])
    assert not [name for name in one.shared if "weight" in name and torch.equal(one.shared[name], before[name])]


def test_a_frozen_entry_that_is_local_too_is_kept_by_nobody() -> None:
    ended = federate(TOY, Freezes(local=("features.conv.*",)))
    assert set(ended.memory(0)["@local"]) == {"features.conv.bias"}


def test_every_strategy_works_beside_one_that_freezes(home: Case, method: Method) -> None:
    both = chain(Freezes(), method)
    ended = federate(home.toy, both, rounds=3)
    frozen = fixed(net_of(home.toy, both))
    assert FROZEN in frozen
    assert ended.shared.keys() == initial(home.toy, both).keys()
    assert not frozen & ended.shared.keys()


@pytest.mark.parametrize("where", ["prepare", "correct"])
def test_a_client_that_changes_a_frozen_weight_is_refused(where: str) -> None:
    def change(self: Any, client: Client) -> None:
        with torch.no_grad():
            client.model.get_parameter(FROZEN).add_(1)

    kind = type("Changes", (Freezes,), {where: change})
    with pytest.raises(DamageError, match=rf"parameters that build froze as they were, got {FROZEN} changed"):
        federate(TOY, kind())


def test_what_is_no_net_is_refused() -> None:
    class Wrong(Method):
        def build(self, net: Net, setup: Setup) -> Net:
            return net.head  # type: ignore[return-value]

    with pytest.raises(UserError, match=r"build: expected a Net with features and a head, got Linear"):
        net_of(TOY, Wrong())


def test_a_method_may_look_at_a_net_on_the_server(home: Case, method: Method) -> None:
    seen: list[Tensor] = []

    class Looks(Method):
        def update(self, server: Any, old: Any, mean: Any) -> Any:
            net = server.frozen(mean)
            assert not net.training
            assert not any(p.requires_grad for p in net.parameters())
            seen.append(net(home.toy.shares[0].train.x))
            return mean

    both = chain(_named(Looks, "looks"), method)
    with pytest.raises(UserError, match="Give the strategy the net"):
        federate(home.toy, both, net=None)
    one = federate(home.toy, both)
    assert same(one.shared, federate(home.toy, method).shared)
    assert len(seen) == 2 or chain(method).has("split")  # then it runs for every model
    assert not torch.equal(seen[0], seen[-1])


def _named(kind: type[Method], name: str) -> Method:
    """An object of the class under a name of its own in a chain."""
    kind.__module__ = name
    return kind()


def _equal(one: Ended, other: Ended) -> bool:
    return same(one.shared, other.shared) and all(same(one.memory(k), other.memory(k)) for k in range(3))
