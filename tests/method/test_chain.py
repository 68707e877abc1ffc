from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.errors import Fault, UserError
from fedmed.method import Batch, Chain, Client, Method, Payload, Report, Scope, Server, Setup, chain
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.moon import Moon
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, federate, job_of, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True)
class Kept:
    """What a diary keeps of a round."""

    inbox: Payload


@dataclass(frozen=True, kw_only=True)
class Diary(Method):
    """Draws, remembers, sends and receives under its own name; each copy with another number."""

    number: float = 1.0

    def prepare(self, client: Client) -> None:
        client.state["drawn"] = torch.rand(2, generator=client.rng)
        client.state["rounds"] = client.state.get("rounds", 0) + 1
        client.keep(Kept(dict(client.inbox)))

    def report(self, client: Client) -> Payload:
        return {"mine": torch.tensor(self.number), **{f"got {n}": t for n, t in client.kept(Kept).inbox.items()}}

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        server.state["total"] = server.state.get("total", 0.0) + sum(float(r.payload["mine"]) for r in reports)
        return {"total": torch.tensor(server.state["total"])}


@dataclass(frozen=True, kw_only=True)
class Loud(Method):
    """Takes every slot, and adds to what others may also do."""

    factor: float = 2.0

    def check(self, setup: Setup) -> Sequence[Fault]:
        return [Fault("somewhere", "silence", f"{self.factor}")]

    def loss(self, client: Client, batch: Batch) -> Tensor:
        return self.factor * batch.logits.sum()

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        return self.factor * batch.features.sum()

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        return torch.zeros(len(x), 3)

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return torch.zeros(len(reports)).index_fill(0, torch.tensor([1]), 1.0)

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        return {name: tensor * self.factor + 1 for name, tensor in mean.items()}


@dataclass(frozen=True, kw_only=True)
class Half(Method):
    def penalty(self, client: Client, batch: Batch) -> float:
        return 0.5

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        return {name: tensor / 2 for name, tensor in mean.items()}


def test_members_are_named_by_their_files_in_order() -> None:
    together = chain(FedProx(), chain(FedBN(), Scaffold()))
    assert list(together.members) == ["fedprox", "fedbn", "scaffold"]
    assert str(together) == "fedprox+fedbn+scaffold"


def test_no_method_is_fedavg() -> None:
    assert [type(m) for m in chain().members.values()] == [Method]


@pytest.mark.parametrize("again", [FedProx(mu=1.0), chain(FedBN(), FedProx())])
def test_a_member_given_twice_is_refused(again: Method | Chain) -> None:
    with pytest.raises(UserError, match="every method once, got fedprox twice"):
        chain(FedProx(), again)


def test_two_members_in_one_slot_are_refused_and_both_named_for_every_slot() -> None:
    with pytest.raises(UserError) as caught:
        Chain({"fedx": Loud(), "fedprox": FedProx(), "fedy": Loud()})
    assert [fault.got for fault in caught.value.faults] == ["fedx and fedy"] * 3
    assert [fault.expected.split()[-1] for fault in caught.value.faults] == ["loss", "weights", "predict"]


def test_one_member_may_take_the_slots_beside_others() -> None:
    together = Chain({"fedprox": FedProx(), "loud": Loud(), "scaffold": FedBN()})
    assert together.has("weights")
    assert not together.has("combine")


def test_local_is_the_union_each_pattern_once() -> None:
    assert chain(FedBN(), FedPer(local=("@head", "@norm", "features.conv.*"))).local == (
        "@norm",
        "@head",
        "features.conv.*",
    )


def test_check_gathers_the_faults_of_all() -> None:
    setup = Setup(task=TOYS["segmentation"].task, net=TOY.net(), optimizer=Optimizer(momentum=0.9), rounds=1, clients=2)
    found = chain(Moon(), FedProx(), Scaffold()).check(setup)
    assert [fault.where for fault in found] == ["strategy", "optimizer"]


def test_the_slot_gives_the_loss_and_penalties_add_up() -> None:
    trainer = trainer_of(TOY, Chain({"half": Half(), "loud": Loud(factor=3.0)}))
    context = trainer.receive(job_of(trainer))
    train = TOY.shares[0].train
    features, logits = torch.full((2, 2), 0.25), torch.full((2, 3), 0.5, requires_grad=True)
    batch = Batch(train.x[:2], train.y[:2], None, torch.arange(2), features, logits)
    assert float(trainer.chain.loss(context, batch)) == 3 * 3.0 + 0.5 + 3 * 1.0


def test_prediction_goes_to_the_member_that_overrides_it() -> None:
    net, x = TOY.net().eval(), TOY.shares[0].test.x
    assert torch.equal(chain(FedProx(), FedBN()).predict(net, x, "test", None), net(x))
    assert not Chain({"fedbn": FedBN(), "loud": Loud()}).predict(net, x, "test", None).any()


@pytest.mark.parametrize(("order", "wanted"), [(("loud", "half"), 1.5), (("half", "loud"), 2.0)])
def test_updates_run_in_order(order: Sequence[str], wanted: float) -> None:
    members: Mapping[str, Method] = {"loud": Loud(), "half": Half()}
    server = Server(round=1, rounds=1, seed=0, clients=(0,), shared={}, state={})
    new = Chain({name: members[name] for name in order}).update(server, {}, {"w": torch.ones(1)})
    assert new["w"].item() == wanted


def test_every_member_has_memory_inbox_report_and_server_memory_of_its_own() -> None:
    ended = federate(TOY, Chain({"one": Diary(number=1.0), "ten": Diary(number=10.0)}), rounds=2)
    assert {name: float(p["total"]) for name, p in ended.progress.inbox.items()} == {"one": 6.0, "ten": 60.0}
    assert ended.progress.state == {"one": {"total": 6.0}, "ten": {"total": 60.0}}
    assert ended.memory(0).keys() == {"one", "ten"}
    assert ended.memory(0)["one"]["rounds"] == 2
    last = {record: tensors for direction, record, tensors in ended.grid.recorded if direction == "up"}
    assert last["report.one"] == {"mine": 1.0, "got total": 3.0}
    assert last["report.ten"] == {"mine": 10.0, "got total": 30.0}


def test_every_member_has_random_numbers_of_its_own_that_others_do_not_move() -> None:
    alone = _drawn(Chain({"one": Diary()}))
    beside = _drawn(Chain({"zero": Diary(), "one": Diary()}))
    assert same(alone["one"], beside["one"])
    assert not same(beside["zero"], beside["one"])


@pytest.mark.parametrize("other", [{"seed": 1}, {"client": 1}, {"round": 2}])
def test_random_numbers_depend_on_seed_client_and_round(other: dict[str, int]) -> None:
    one = Chain({"one": Diary()})
    assert same(_drawn(one), _drawn(one))
    assert not same(_drawn(one)["one"]["drawn"], _drawn(one, **other)["one"]["drawn"])


def test_a_payload_that_is_empty_is_not_sent() -> None:
    ended = federate(TOY, chain(FedAvg(), FedProx()), rounds=1)
    assert {record for _, record, _ in ended.grid.recorded} == {"arrays"}


def test_methods_draw_without_moving_the_batches() -> None:
    assert same(federate(TOY, Chain({"one": Diary()})).shared, federate(TOY, FedAvg()).shared)


def _drawn(method: Chain, *, seed: int = 0, client: int = 0, round: int = 1) -> dict[str, Any]:
    trainer = trainer_of(TOY, method, TRAINING, seed=seed)
    return trainer.train(job_of(trainer, client=client, round=round)).state
