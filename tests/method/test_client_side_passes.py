"""Relabelling, side passes, other views and audits: what a method may do with its images besides training on them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from fedmed.data.augment import StandardAugment
from fedmed.method import Batch, Chain, Client, Method
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, TRAINING, Toy, job_of, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Relabels(Method):
    """Calls every image class 2."""

    relabels: ClassVar[bool] = True

    def prepare(self, client: Client) -> None:
        client.relabel(torch.full_like(client.given.y, 2), None)


@dataclass(frozen=True, kw_only=True)
class Watches(Method):
    """Keeps what it saw."""

    def prepare(self, client: Client) -> None:
        client.state["prepared"] = client.train.y.clone()
        client.state["given"] = client.given.y.clone()

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        client.state["trained"] = batch.y.clone()
        client.state["seen"] = batch.x.clone()
        client.state["other"] = client.view(batch).clone()
        return 0.0

    def report(self, client: Client) -> Mapping[str, Tensor]:
        client.state["before"] = torch.tensor(client.model.training)
        features, logits = client.collect(client.model)
        client.state |= {"features": features, "logits": logits, "after": torch.tensor(client.model.training)}
        return {}

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        return {"wrong": float((client.train.y != truth).double().mean())}


def watched(toy: Toy, chain: Chain | Method, **training: Any) -> dict[str, Any]:
    trainer = trainer_of(toy, chain, replace(TRAINING, **training))
    return trainer.train(job_of(trainer)).state["watches"]


def test_a_relabelling_member_comes_first_wherever_it_stands_and_the_given_labels_stay() -> None:
    given = TOY.shares[0].train.y.clone()
    for names in (("relabels", "watches"), ("watches", "relabels")):
        members = {name: {"relabels": Relabels(), "watches": Watches()}[name] for name in names}
        saw = watched(TOY, Chain(members))
        assert (saw["prepared"] == 2).all()
        assert (saw["trained"] == 2).all()
        assert torch.equal(saw["given"], given)
        assert torch.equal(TOY.shares[0].train.y, given)


def test_labels_of_one_round_are_not_those_of_the_next() -> None:
    trainer = trainer_of(TOY, Chain({"relabels": Relabels()}))
    trainer.train(job_of(trainer))
    assert torch.equal(trainer.receive(job_of(trainer)).train.y, TOY.shares[0].train.y)


def test_a_sweep_covers_all_images_in_order_in_eval_mode_and_puts_the_mode_back() -> None:
    trainer = trainer_of(TOY, Chain({"watches": Watches()}))
    saw = trainer.train(job_of(trainer)).state["watches"]
    net = trainer.net.eval()
    with torch.no_grad():
        features = net.features(trainer.passes.inputs(TOY.shares[0].train).x)
        assert torch.allclose(saw["features"], features)
        assert torch.allclose(saw["logits"], net.head(features))
    assert not saw["features"].requires_grad
    assert saw["before"]
    assert saw["after"]


def test_another_view_is_augmented_anew_and_repeats_with_the_seed() -> None:
    chain = Chain({"watches": Watches()})
    saw, again = (watched(TOY, chain, augment=StandardAugment()) for _ in range(2))
    assert saw["other"].shape == saw["seen"].shape
    assert not torch.equal(saw["other"], saw["seen"])
    assert torch.equal(saw["other"], again["other"])
    plain = watched(TOY, chain)
    assert torch.equal(plain["other"], plain["seen"])


def test_an_audit_sees_the_truth_and_only_where_it_differs() -> None:
    true = TOY.shares[0].train.y
    noisy = replace(TOY.shares[0].train, y=(true + 1) % 3)
    shares = (replace(TOY.shares[0], train=noisy, truth=true), *TOY.shares[1:])
    chain = Chain({"watches": Watches(), "fedavg": FedAvg()})
    trainer = trainer_of(replace(TOY, shares=shares), chain)
    assert trainer.train(job_of(trainer)).audit == {"watches.wrong": 1.0}
    assert trainer.train(job_of(trainer, client=1)).audit == {}


def plain_loss() -> float:
    trainer = trainer_of(TOY, FedAvg())
    return trainer.train(job_of(trainer)).loss


def test_a_hook_that_fields_switch_off_leaves_its_slot_free() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Optional(Method):
        own: bool = True

        @property
        def idle(self) -> frozenset[str]:
            return frozenset() if self.own else frozenset({"loss"})

        def loss(self, client: Client, batch: Batch) -> Tensor:
            return batch.logits.sum()

    @dataclass(frozen=True, kw_only=True)
    class Claims(Method):
        def loss(self, client: Client, batch: Batch) -> Tensor:
            return batch.logits.mean()

    assert Chain({"optional": Optional(own=False), "claims": Claims()}).has("loss")
    alone = Chain({"optional": Optional(own=False)})
    assert not alone.has("loss")
    for chain, loss in ((alone, "the task's"), (Chain({"optional": Optional()}), "its own")):
        trainer = trainer_of(TOY, chain)
        assert (trainer.train(job_of(trainer)).loss == plain_loss()) == (loss == "the task's")
