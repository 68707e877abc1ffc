from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.client import Trainer, TrainerSpec, Training
from fedmed.data.augment import Augment
from fedmed.data.examples import Examples
from fedmed.errors import UserError
from fedmed.method import Batch, Chain, Client, Method, Payload
from fedmed.models.small_cnn import SmallCnn
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from tests.toys import TOYS, TRAINING, Held, classifier, copied, federate, job_of, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Breaks(Method):
    stage: str = ""

    def prepare(self, client: Client) -> None:
        client.state.setdefault("deep", {})["round"] = client.round
        self._maybe("prepare", client)

    def penalty(self, client: Client, batch: Batch) -> float:
        self._maybe("penalty", client)
        return 0.0

    def report(self, client: Client) -> Payload:
        self._maybe("report", client)
        return {}

    def predict(self, net: Any, x: Tensor, scope: str, client: Client | None) -> Tensor:
        self._maybe(scope, client)
        return net(x)

    def _maybe(self, stage: str, client: Client | None) -> None:
        if stage == self.stage:
            raise KeyError("lost")


@pytest.mark.parametrize(
    ("breaks", "named"),
    [
        ("prepare", "prepare"),
        ("penalty", "training"),
        ("report", "report"),
        ("adapted", "evaluate (adapted)"),
        ("client", "evaluate (client)"),
    ],
)
def test_an_error_names_client_round_stage_and_strategy(breaks: str, named: str) -> None:
    trainer = trainer_of(TOY, Chain({"fedx": Breaks(stage=breaks), "fedavg": FedAvg()}))
    request = job_of(trainer, client=2, round=5, adapted=True)
    run = trainer.evaluate if breaks == "client" else trainer.train
    with pytest.raises(KeyError) as caught:
        run(request)
    hook = {"adapted": "predict", "client": "predict"}.get(breaks, breaks)
    where = f"client 2, round 5, stage {named}, strategy fedx+fedavg"
    assert caught.value.__notes__ == [f"fedmed: in fedx.{hook}", f"fedmed: in {where}"]


def test_a_job_is_only_read_whether_it_ends_well_or_not() -> None:
    for breaks in ("", "report"):
        trainer = trainer_of(TOY, Breaks(stage=breaks))
        request = job_of(trainer, state={"test_client": {"deep": {"kept": torch.ones(2)}}})
        before = copied({"shared": request.shared, "state": request.state})
        if breaks:
            with pytest.raises(KeyError):
                trainer.train(request)
        else:
            trainer.train(request)
        assert same({"shared": dict(request.shared), "state": request.state}, before)


def test_training_that_diverges_is_refused_with_client_and_round() -> None:
    toy = TOY.with_train(1, lambda held: replace(held, x=held.x * float("inf")))
    trainer = trainer_of(toy, FedAvg())
    with pytest.raises(UserError, match="client 1, round 3: expected a finite training loss, got nan"):
        trainer.train(job_of(trainer, client=1, round=3))


def test_a_round_depends_on_its_job_alone_not_on_who_trained_before() -> None:
    fresh, used = (trainer_of(TOY, FedPer(), _persisting()) for _ in range(2))
    request = job_of(fresh, client=1)
    used.train(replace(request, client=0, round=4))
    used.evaluate(replace(request, client=2))
    one, other = fresh.train(request), used.train(request)
    assert same(dict(one.weights), dict(other.weights))
    assert same(one.state, other.state)
    assert one.loss == other.loss


def test_the_loss_is_the_mean_over_images() -> None:
    """A rate of (nearly) zero keeps the net as it is, so the mean over batches is that over the images."""
    toy = replace(TOY.with_train(0, lambda held: held[:7]), make=lambda: classifier(3, norm=False))
    train = toy.shares[0].train
    wanted = toy.task.loss(toy.net()(train.x), train.y, None)
    trainer = trainer_of(toy, FedAvg(), _training(lr=1e-30))
    assert trainer.train(job_of(trainer)).loss == pytest.approx(wanted.item(), rel=1e-5)


def test_epochs_and_steps_count_optimizer_steps() -> None:
    name = "features.norm.num_batches_tracked"
    for settings, steps in (({"epochs": 2}, 6), ({"steps": 5}, 5), ({"epochs": 4, "steps": 1}, 1)):
        trainer = trainer_of(TOY, FedAvg(), Training(optimizer=Optimizer(), batch_size=4, **settings))
        assert trainer.train(job_of(trainer)).weights[name] == steps


def test_gradients_are_clipped_after_the_method_has_corrected_them() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Huge(Method):
        def correct(self, client: Client) -> None:
            for _, weight, _ in client.shared:
                weight.grad.fill_(1e3)

    trainer = trainer_of(TOY, Huge(), replace(_training(lr=1.0), steps=1, clip_norm=0.5))
    request = job_of(trainer)
    weights = trainer.train(request).weights
    moved = torch.cat([(request.shared[name] - weights[name]).flatten() for name, _ in trainer.net.named_parameters()])
    torch.testing.assert_close(moved, torch.full_like(moved, 0.5 / len(moved) ** 0.5))


@pytest.mark.parametrize("persists", [True, False])
def test_momentum_stays_with_the_client_if_asked(persists: bool) -> None:
    training = _persisting() if persists else replace(_persisting(), optimizer=Optimizer(lr=0.1, momentum=0.9))
    trainer = trainer_of(TOY, FedAvg(), training)
    first = trainer.train(job_of(trainer))
    assert ("@optimizer" in first.state) == persists
    shared = copied(first.weights)
    second = copied(trainer.train(job_of(trainer, round=2, shared=shared, state=first.state)).weights)
    anew = trainer.train(job_of(trainer, round=2, shared=shared)).weights
    assert same(second, dict(anew)) != persists


def test_a_cosine_schedule_reaches_training() -> None:
    training = Training(optimizer=Optimizer(lr=0.1, schedule="cosine"), batch_size=4)
    trainer = trainer_of(TOY, FedAvg(), training)
    constant = trainer_of(TOY, FedAvg())
    request = job_of(trainer, round=2, rounds=2)
    assert not same(copied(trainer.train(request).weights), dict(constant.train(request).weights))
    request = replace(request, round=1)
    assert same(copied(trainer.train(request).weights), dict(constant.train(request).weights))


def test_augmentation_changes_batches_by_a_stream_of_its_own() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Dark(Augment):
        def apply(self, x: Tensor, y: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
            torch.rand(1, generator=rng)
            return x * self.factor, y

        factor: float = 1.0

    plain, same_images, dark = (
        federate(TOY, FedAvg(), training=replace(TRAINING, epochs=2, augment=augment)).shared
        for augment in (None, Dark(), Dark(factor=0.5))
    )
    assert same(same_images, plain)
    assert not same(dark, plain)


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_come_in_the_layout_of_the_net(channels_last: bool) -> None:
    layouts: list[bool] = []

    @dataclass(frozen=True, kw_only=True)
    class Looks(Method):
        def penalty(self, client: Client, batch: Batch) -> float:
            layouts.append(batch.x.is_contiguous(memory_format=torch.channels_last))
            return 0.0

        def predict(self, net: Any, x: Tensor, scope: str, client: Client | None) -> Tensor:
            layouts.append(x.is_contiguous(memory_format=torch.channels_last))
            return net(x)

    net = SmallCnn(width=2).build(3, 3, 8)
    shares = [Held(*(replace(e, x=e.x.repeat(1, 3, 1, 1)) for e in (s.train, s.val, s.test))) for s in TOY.shares]
    trainer = Trainer(
        TrainerSpec(
            net=net,
            chain=Chain({"looks": Looks()}),
            task=TOY.task,
            training=TRAINING,
            share=shares.__getitem__,
            normalise=Tensor.float,
            seed=0,
            channels_last=channels_last,
        )
    )
    request = job_of(trainer)
    trainer.train(request)
    trainer.evaluate(request)
    assert len(layouts) > 3
    assert set(layouts) == {channels_last}


def test_evaluation_uses_the_received_model_with_the_own_local_part() -> None:
    trainer = trainer_of(TOY, FedPer())
    own = {"head.weight": torch.zeros(3, 64), "head.bias": torch.tensor([0.0, 9.0, 0.0])}
    scores = trainer.evaluate(job_of(trainer, state={"@local": own}))
    assert scores.keys() == {"val", "test"}
    test = TOY.shares[0].test
    assert scores["test"].values["accuracy"] == pytest.approx((test.y == 1).float().mean().item())
    assert scores["test"].examples == len(test)


def test_evaluation_changes_nothing_and_empty_sets_are_left_out() -> None:
    shares = tuple(replace(share, val=share.val[:0]) for share in TOY.shares)
    trainer = trainer_of(replace(TOY, shares=shares), FedAvg())
    request = job_of(trainer)
    assert trainer.evaluate(request).keys() == {"test"}
    assert same(copied(trainer.shared), dict(request.shared))


def test_scores_right_after_training_only_if_asked() -> None:
    trainer = trainer_of(TOY, FedAvg())
    assert trainer.train(job_of(trainer)).adapted is None
    outcome = trainer.train(job_of(trainer, adapted=True))
    weights = copied(outcome.weights)
    assert outcome.adapted.values == trainer.evaluate(job_of(trainer, shared=weights))["test"].values


def test_a_net_of_which_nothing_is_shared_trains_alone() -> None:
    ended = federate(TOY, FedAvg(local=("*",)), rounds=2)
    assert ended.shared == {}
    assert ended.memory(0)["@local"].keys() == TOY.net().state_dict().keys()
    assert ended.results[1].clients[0]["loss"] < ended.results[0].clients[0]["loss"]


def test_labels_of_some_rows_unseen_reach_the_loss() -> None:
    seen = torch.ones(12, 3, dtype=torch.bool)
    seen[:, 0] = False
    hidden = TOYS["multilabel"].with_train(0, lambda held: replace(held, seen=seen))
    flipped = hidden.with_train(0, lambda held: replace(held, y=_flip_first(held)))
    first, second = (trainer_of(toy, FedAvg()) for toy in (hidden, flipped))
    assert same(dict(first.train(job_of(first)).weights), dict(second.train(job_of(second)).weights))


def _flip_first(held: Examples) -> Tensor:
    return torch.cat([1 - held.y[:, :1], held.y[:, 1:]], 1)


def _training(lr: float) -> Training:
    return Training(optimizer=Optimizer(lr=lr), batch_size=4)


def _persisting() -> Training:
    return Training(optimizer=Optimizer(lr=0.1, momentum=0.9, state="persist"), batch_size=4)
