"""Mixed precision, on the processor: what is computed in half precision, and what is not."""

import copy
import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmed.client import Training
from fedmed.client.precision import SCALE, GradientStep, lower
from fedmed.method import Batch, Client, Method, Payload, SweepPart
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer, make_optimizer
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, TRAINING, Ended, classifier, federate, job_of, same, trainer_of

TOY = TOYS["multiclass"]
HALF = ("bf16", "fp16")


def trained(precision: Any, **training: Any) -> Ended:
    return federate(TOY, FedAvg(), rounds=6, training=replace(TRAINING, precision=precision, **training))


@pytest.mark.parametrize("precision", HALF)
def test_a_run_learns_repeats_its_bits_and_keeps_its_weights_in_full(precision: Any) -> None:
    one, again, full = trained(precision), trained(precision), trained("full")
    assert one.losses[-1] < one.losses[0] / 2
    assert same(one.shared, again.shared)
    assert one.losses == again.losses
    assert not same(one.shared, full.shared)
    assert {n: t.dtype for n, t in one.shared.items()} == {n: t.dtype for n, t in full.shared.items()}
    for name, tensor in one.shared.items():
        torch.testing.assert_close(tensor, full.shared[name], rtol=0.1, atol=0.1)


@dataclass(frozen=True, kw_only=True)
class Spy(Method):
    """Asks for every kind of pass, and checks what comes of it."""

    def prepare(self, client: Client) -> None:
        for swept in client.sweep(client.model):
            _check(swept)

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        _check(batch)
        teacher = client.received(batch.x), client.frozen({}).features(batch.x)
        assert [t.dtype for t in teacher] == [torch.float32] * 2
        assert not torch.is_autocast_enabled("cpu")
        return batch.logits.square().mean()

    def correct(self, client: Client) -> None:
        assert {p.grad.dtype for p in client.model.parameters() if p.grad is not None} == {torch.float32}

    def report(self, client: Client) -> Payload:
        return {"features": client.collect(client.model)[0]}


def _check(given: Batch | SweepPart) -> None:
    assert given.features.dtype == given.logits.dtype == torch.float32
    assert torch.equal(given.logits, given.logits.bfloat16().float()), "the pass was not in half precision"


def test_methods_see_float32_only_and_every_pass_is_lowered() -> None:
    federate(TOY, Spy(), rounds=2, training=replace(TRAINING, precision="bf16"), adapted=True, by_clients=True)


def test_a_lowered_net_can_be_copied_pickled_and_fail() -> None:
    net = classifier(3)
    plain, x = copy.deepcopy(net).eval(), torch.rand(2, 1, 8, 8)
    lower(net, "bf16")
    lower(net, "bf16")
    for other in (net.eval(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))
        assert not torch.equal(other(x), plain(x))
        with pytest.raises(RuntimeError, match="channels"):
            other(torch.rand(2, 3, 8, 8))
        assert not torch.is_autocast_enabled("cpu")
    assert len(net.features._forward_hooks) == 1
    copied = copy.deepcopy(net)
    with torch.no_grad():
        copied.head.bias.add_(1)  # type: ignore[union-attr, operator]
    assert not torch.equal(copied(x), net(x)), "the copy's pass uses the weights of the first"


def from_two(precision: Any) -> tuple[nn.Parameter, GradientStep]:
    weight = nn.Parameter(torch.tensor([2.0]))
    return weight, GradientStep(make_optimizer(Optimizer(lr=0.5), [weight]), precision, torch.device("cpu"))


@pytest.mark.parametrize("precision", ["full", "bf16", "fp16"])
def test_gradients_are_unscaled_when_they_are_corrected(precision: Any) -> None:
    weight, descent = from_two(precision)
    seen: list[float] = []

    def change() -> None:
        assert weight.grad is not None
        seen.append(weight.grad.item())
        weight.grad.add_(1)

    descent.step((weight * 3).sum(), change)
    descent.step((weight * 3).sum(), change)
    assert seen == [3.0, 3.0]
    assert weight.item() == 2.0 - 2 * 0.5 * 4.0


def test_a_step_that_overflows_is_left_out_and_the_next_round_starts_afresh() -> None:
    weight, descent = from_two("fp16")
    descent.step((weight * torch.inf).sum(), lambda: None)
    assert weight.item() == 2.0
    assert descent.scale == SCALE / 2
    descent.begin()
    assert descent.scale == SCALE


def test_clipping_measures_unscaled_gradients() -> None:
    training = Training(optimizer=Optimizer(lr=1.0), batch_size=12, clip_norm=1e-3, precision="fp16")
    trainer = trainer_of(TOY, FedAvg(), training)
    request = job_of(trainer)
    moved = {
        n: t - request.shared[n]
        for n, t in trainer.train(request).weights.items()
        if n in dict(trainer.net.named_parameters())
    }
    length = sum(float(t.double().square().sum()) for t in moved.values()) ** 0.5
    assert length == pytest.approx(1e-3, rel=1e-2)


def test_every_model_passes_in_half_precision() -> None:
    from fedmed.models.densenet121 import DenseNet121
    from fedmed.models.efficientnet_b0 import EfficientNetB0
    from fedmed.models.resnet18 import ResNet18
    from fedmed.models.unet import UNet

    for model in (ResNet18(), DenseNet121(), EfficientNetB0(), UNet()):
        net: Net = model.build(1, 3, 32)
        lower(net, "bf16")
        loss = net(torch.rand(2, 1, 32, 32)).square().mean()
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is None or p.grad.dtype == torch.float32 for p in net.parameters())
