"""Images to judge by: only for a method that says so, never those that judge rounds; and what else a client is told."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.examples import Examples
from fedmed.data.partition import IidPartition
from fedmed.data.pooled import pooled
from fedmed.data.shift import NoneShift
from fedmed.data.world import Share, build_world
from fedmed.datasets.synthetic_multiclass import SyntheticMulticlass
from fedmed.errors import UserError
from fedmed.method import Client, Method, chain
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, TRAINING, federate, job_of, multiclass, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Judges(Method):
    """Looks at validation images of the client's own before it trains."""

    needs_val: ClassVar[bool] = True

    def prepare(self, client: Client) -> None:
        _, logits = client.collect(client.received, client.own_val.x)
        client.state["loss"] = client.task.loss(logits, client.own_val.y, client.own_val.seen)


def test_a_method_that_needs_them_sees_the_other_half() -> None:
    toy = replace(TOY, shares=tuple(replace(s, own_val=multiclass(3, 40 + k)) for k, s in enumerate(TOY.shares)))
    ended = federate(toy, Judges(), rounds=1)
    trainer = trainer_of(toy, Judges())
    for client, share in enumerate(toy.shares):
        net = trainer.net.eval()
        expected = toy.task.loss(net(share.own_val.x), share.own_val.y, None)
        assert ended.memory(client)["test_own_val"]["loss"].item() == pytest.approx(expected.item())


def test_other_methods_are_refused_what_is_not_theirs() -> None:
    class Peeks(Method):
        def prepare(self, client: Client) -> None:
            assert len(client.own_val)

    assert not chain(Peeks()).needs_val
    assert chain(FedAvg(), Judges()).needs_val
    with pytest.raises(UserError, match=r"client 0, .*client\.own_val: expected a method with needs_val = True"):
        federate(TOY, Peeks())


@pytest.mark.parametrize("patient", [None, np.array([5, 5, 5, 7, 7, 9, 9, 9])], ids=["images", "patients"])
def test_validation_images_are_halved_and_no_patient_is_in_both(patient: np.ndarray | None) -> None:
    val = multiclass(8, 3)
    val.x[:, 0, 0, 0] = torch.arange(8.0)
    share = Share(multiclass(4), val, multiclass(4), audit=Examples(val.x, 2 - val.y))
    half = share.halved(patient, seed=1)
    assert half.own_val is not None
    judged, own = (set(part.x[:, 0, 0, 0].int().tolist()) for part in (half.val, half.own_val))
    assert judged | own == {*range(8)}
    assert not judged & own
    assert min(len(judged), len(own)) >= 3
    assert half.audit is not None
    assert torch.equal(half.audit.x, half.val.x)
    if patient is not None:
        assert not {patient[row] for row in judged} & {patient[row] for row in own}
    assert torch.equal(share.halved(patient, seed=1).val.x, half.val.x)


def test_a_client_knows_how_long_its_round_is_and_which_classes_it_labels() -> None:
    seen = torch.zeros(12, 3, dtype=torch.bool)
    seen[3, 0] = seen[7, 2] = True
    toy = TOYS["multilabel"].with_train(1, lambda given: Examples(given.x, given.y, seen))
    for training, steps in ((TRAINING, 3), (replace(TRAINING, epochs=2), 6), (replace(TRAINING, steps=5), 5)):
        trainer = trainer_of(toy, FedAvg(), training)
        counted = []
        for client in (0, 1):
            found = trainer.receive(job_of(trainer, client))
            counted.append((found.steps, found.annotated.tolist()))
        assert counted == [(steps, [True] * 3), (steps, [True, False, True])]
        done = []

        class Counts(Method):
            def report(self, client: Client) -> dict[str, torch.Tensor]:
                done.append((client.step, client.steps))  # noqa: B023
                return {}

        federate(toy, Counts(), training=training, rounds=1)
        assert done == [(steps, steps)] * 3


@pytest.mark.parametrize("task", ["multiclass", "segmentation"])
def test_views_are_weak_or_strong_and_masks_stay_where_they_are(task: str) -> None:
    trainer = trainer_of(TOYS[task], FedAvg())
    client = trainer.receive(job_of(trainer))
    batch = trainer._batch(client, torch.arange(8), torch.Generator())
    weak, strong = client.view(batch, "weak"), client.view(batch, "strong")
    near, far = ((view - batch.x).abs().mean().item() for view in (weak, strong))
    assert 0 < near < far
    if task == "segmentation":  # brightness alone: every image is moved by a constant
        assert (weak - batch.x).flatten(1).std(1).max() < 1e-6
    again = trainer_of(TOYS[task], FedAvg())
    assert torch.equal(again.receive(job_of(again)).view(batch, "weak"), weak)


def test_a_world_keeps_half_of_the_validation_images_for_methods_and_changes_nothing_else() -> None:
    whole: Any = {"partition": IidPartition(), "annotation": CompleteAnnotation(), "shift": NoneShift()}
    dataset = SyntheticMulticlass(images=300, val=0.2)
    plain, halved = (
        build_world(dataset, clients=3, client_test=0.2, seed=0, own_val=own, **whole) for own in (False, True)
    )
    for one, other in zip(plain.shares, halved.shares, strict=True):
        assert torch.equal(one.train.x, other.train.x)
        assert torch.equal(one.test.x, other.test.x)
        assert one.own_val is None
        assert other.own_val is not None
        assert len(other.val) + len(other.own_val) == len(one.val)
        assert abs(len(other.val) - len(other.own_val)) <= 1
    (together,) = pooled(halved).shares
    assert together.own_val is not None
    assert len(together.own_val) == sum(len(share.own_val or ()) for share in halved.shares)
