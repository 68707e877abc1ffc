from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.client import Trainer
from fedmed.errors import UserError
from fedmed.method import Batch, Chain, Client, Method, Payload, RoundContext, Server, chain
from fedmed.method.client import annotated_classes
from fedmed.models.net import Net
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.moon import Moon, _Previous
from tests.toys import TOYS, job_of, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True)
class Note:
    """What a method of these tests keeps."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Peek(Method):
    """Shows the client's round to a test."""

    shown: list[Any] = field(default_factory=list)

    def prepare(self, client: Client) -> None:
        self.shown.append(client)


def test_a_client_is_the_same_view_all_round_and_another_one_for_each_member() -> None:
    whole = _client()
    one = whole.member("one")
    one.keep(Note(1))
    assert whole.member("one") is one
    assert whole.member("one").kept(Note) == Note(1)


def test_what_was_never_kept_is_named_with_what_was_and_what_to_do() -> None:
    whole = _client()
    whole.member("one").keep(Note(1))
    for kept, client in (("nothing", whole.member("two")), ("int", whole.member("three"))):
        client.keep(3) if kept == "int" else None
        with pytest.raises(UserError, match=rf"client 1, round 2: expected a kept Note, got {kept} kept.*client\.keep"):
            client.kept(Note)


def test_an_object_of_the_same_class_takes_the_place_of_the_one_before() -> None:
    client = _client().member("one")
    client.keep(Note(1))
    client.keep(Note(2))
    client.keep(3)
    assert (client.kept(Note), client.kept(int)) == (Note(2), 3)


def test_what_a_method_keeps_is_gone_with_the_round() -> None:
    peek = Peek()
    trainer = trainer_of(TOY, peek)
    trainer.train(job_of(trainer))
    peek.shown[-1].keep(Note(1))
    trainer.train(job_of(trainer, round=2))
    with pytest.raises(UserError, match="nothing kept"):
        peek.shown[-1].kept(Note)


def test_memory_of_one_member_is_hidden_from_another() -> None:
    whole = _client(state={"one": {"kept": 3}}, inbox={"two": {"mail": torch.ones(1)}})
    assert whole.member("one").state == {"kept": 3}
    assert whole.member("two").state == {}
    assert whole.member("one").inbox == {}
    assert list(whole.member("two").inbox) == ["mail"]
    whole.member("two").state["kept"] = 4
    assert whole.context.state == {"one": {"kept": 3}, "two": {"kept": 4}}


def test_shared_are_the_trainable_parameters_that_are_not_local_beside_their_anchor() -> None:
    trainer = trainer_of(TOY, FedPer(local=("@head", "features.norm.*")))
    trainer.net.get_parameter("features.conv.bias").requires_grad_(False)
    whole = trainer.receive(job_of(trainer))
    assert [name for name, _, _ in whole.shared] == ["features.conv.weight"]
    (one,) = whole.shared
    assert one.weight is trainer.net.get_parameter(one.name)
    assert torch.equal(one.anchor, one.weight)
    assert not one.anchor.requires_grad
    assert one.anchor.data_ptr() != one.weight.data_ptr()


def test_the_received_model_is_frozen_in_eval_mode_and_as_received_after_training() -> None:
    peek = Peek()
    trainer = trainer_of(TOY, peek)
    job = job_of(trainer)
    trainer.train(job)
    received = peek.shown[0].received
    assert_frozen(received, trainer.net)
    assert same(dict(received.state_dict()), dict(job.shared))
    assert not same(dict(received.state_dict()), dict(trainer.net.state_dict()))
    received(TOY.shares[0].train.x)
    assert same(dict(received.state_dict()), dict(job.shared)), "a forward pass moved its statistics"


def test_frozen_models_keep_the_own_local_part_unless_given_another() -> None:
    trainer = trainer_of(TOY, FedPer())
    own = {name: torch.full_like(trainer.net.state_dict()[name], 2.0) for name in ("head.weight", "head.bias")}
    whole = trainer.receive(job_of(trainer, state={"@local": own}))
    client = whole.member("fedper")
    assert same({n: t for n, t in client.received.state_dict().items() if n in own}, own)
    other = {"head.bias": torch.full((3,), 5.0), "features.conv.bias": torch.full((4,), 7.0)}
    frozen = client.frozen(other)
    assert_frozen(frozen, trainer.net)
    entries = frozen.state_dict()
    assert same({n: entries[n] for n in other}, other)
    assert torch.equal(entries["head.weight"], own["head.weight"])
    assert torch.equal(entries["features.conv.weight"], whole.anchor["features.conv.weight"])


def test_received_is_made_once_a_round_and_frozen_models_are_apart() -> None:
    trainer = trainer_of(TOY, Method())
    client = trainer.receive(job_of(trainer)).member("any")
    received = client.received
    frozen = client.frozen({"head.bias": torch.full((3,), 9.0)})
    assert client.received is received
    assert frozen is not received
    assert not same(received.state_dict()["head.bias"], frozen.state_dict()["head.bias"])


def test_spare_nets_are_made_once_and_reused_in_later_rounds() -> None:
    trainer = trainer_of(TOY, Method())
    first = _two_spares(trainer, 0)
    second = _two_spares(trainer, 1)
    assert [id(net) for net in first] == [id(net) for net in second]
    assert len(trainer._copies.nets) == 2


def test_the_view_tells_round_step_and_learning_rate() -> None:
    client = _client().member("one")
    assert (client.id, client.round, client.rounds, client.step, client.lr) == (1, 2, 5, 0, 0.25)
    client.context.step = 3
    assert client.step == 3
    assert client.task is TOY.task
    assert client.train is TOY.shares[1].train


def test_what_a_client_is_shown_cannot_be_replaced() -> None:
    client = _client().member("one")
    with pytest.raises(AttributeError):
        client.model = TOY.net()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        client.forgotten = 1  # type: ignore[attr-defined]


def test_memory_can_be_updated_in_place_or_given_anew() -> None:
    whole = _client()
    client = whole.member("one")
    client.state |= {"a": 1}
    assert whole.context.state == {"one": {"a": 1}}
    client.state = {"b": 2}
    assert whole.context.state == {"one": {"b": 2}}


def test_server_memory_is_by_member_and_its_random_numbers_by_member_and_round() -> None:
    server = Server(round=1, rounds=3, seed=0, clients=(0, 1), shared={}, state={})
    one, two = server.member("one"), server.member("two")
    one.state["kept"] = 1
    assert two.state == {}
    assert server.state == {"one": {"kept": 1}, "two": {}}
    draws = [torch.rand(1, generator=s.rng).item() for s in (one, one, two, replace(one, round=2))]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3


def test_batches_carry_the_one_forward_pass() -> None:
    counted: list[Batch] = []

    class Look(Method):
        def penalty(self, client: Client, batch: Batch) -> float:
            counted.append(batch)
            return 0.0

    passes: list[Tensor] = []
    trainer = trainer_of(TOY, Chain({"look": Look(), "peek": Peek()}))
    trainer.net.features.register_forward_hook(lambda *args: passes.append(args[2]))
    trainer.train(job_of(trainer))
    assert len(passes) == len(counted) == 3
    assert all(batch.features is seen for batch, seen in zip(counted, passes, strict=True))
    train = TOY.shares[0].train
    assert sorted(torch.cat([batch.index for batch in counted]).tolist()) == list(range(len(train)))
    assert all(torch.equal(batch.x, train.x[batch.index]) for batch in counted)
    assert all(torch.equal(batch.y, train.y[batch.index]) for batch in counted)


def assert_frozen(net: Net, trained: Net) -> None:
    assert not net.training
    assert not any(module.training for module in net.modules())
    assert not any(p.requires_grad for p in net.parameters())
    theirs = {t.data_ptr() for t in trained.state_dict().values()}
    assert not theirs & {t.data_ptr() for t in net.state_dict().values()}


def _client(state: Any = None, inbox: Any = None) -> Client:
    net, train = TOY.net(), TOY.shares[1].train
    anchor: Payload = {name: t.clone() for name, t in net.state_dict().items()}
    context = RoundContext(
        anchor=anchor,
        train=train,
        inbox=inbox or {},
        state=state or {},
        frozen_copy=lambda weights: net,
        sweep=lambda net, images: iter(()),
        augment=lambda index, generator, strength: index,
        own_val=lambda: train,
    )
    return Client(
        id=1,
        round=2,
        rounds=5,
        seed=0,
        lr=0.25,
        task=TOY.task,
        model=net,
        given=train,
        context=context,
    )


def _two_spares(trainer: Trainer, client: int) -> list[Net]:
    view = trainer.receive(job_of(trainer, client=client)).member("any")
    return [view.received, view.frozen({})]


def test_fedper_and_moon_in_one_chain_restore_the_own_head() -> None:
    peek = Peek()
    trainer = trainer_of(TOY, chain(FedPer(), Moon(), peek))
    first = trainer.train(job_of(trainer))
    own = {name: tensor.clone() for name, tensor in first.state["@local"].items()}
    second = trainer.train(job_of(trainer, client=1))
    trainer.train(job_of(trainer, client=1, round=2, state=second.state))
    assert len(trainer._copies.nets) == 2, "spares hold the other client's head"
    trainer.train(job_of(trainer, round=2, state=first.state))
    received = peek.shown[-1].received
    assert same({name: received.state_dict()[name] for name in own}, own)
    previous = peek.shown[-1].member("moon").kept(_Previous).net
    assert same(dict(previous.state_dict()), dict(first.state["moon"]["previous"]))


def test_what_is_annotated_is_found_once_a_round_and_nobody_can_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Tensor] = []

    def once(*given: Any) -> Tensor:
        found.append(annotated_classes(*given))
        return found[-1]

    monkeypatch.setattr("fedmed.method.client.annotated_classes", once)
    trainer = trainer_of(TOYS["multilabel"], Chain({"moon": Moon(), "fedper": FedPer()}))
    client = trainer.receive(job_of(trainer))
    client.member("moon").annotated.zero_()
    assert client.member("fedper").annotated.all()
    assert len(found) == 1
