"""The net that a run starts from: what the model freezes stays as it begins, and what cannot be is refused."""

from dataclasses import replace

import pytest
import torch

from fedmed import Experiment, SyntheticMulticlass
from fedmed.errors import UserError
from fedmed.initial_net import initial_net
from fedmed.models.net import Net, fixed, scope
from fedmed.models.small_cnn import SmallCnn
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.lora import LoRA
from fedmed.tasks import MultiClass

PLAIN = Experiment(dataset=SyntheticMulticlass(classes=3), model=SmallCnn(width=2, norm="batch"))


def net_of(experiment: Experiment, *freeze: str) -> Net:
    experiment = replace(experiment, model=replace(experiment.model, freeze=freeze))
    return initial_net(experiment, MultiClass(classes=3), channels=1, side=8, clients=4)


def test_nothing_is_frozen_unless_asked() -> None:
    assert fixed(net_of(PLAIN)) == frozenset()


@pytest.mark.parametrize("patterns", [("features.block1.*",), ("@norm",), ("@head", "features.linear.*")])
def test_what_the_model_freezes_is_frozen_and_of_the_same_bits(patterns: tuple[str, ...]) -> None:
    free, net = net_of(PLAIN), net_of(PLAIN, *patterns)
    assert fixed(net) == scope(net, patterns) & {name for name, _ in net.named_parameters()}
    assert all(torch.equal(net.state_dict()[name], free.state_dict()[name]) for name in free.state_dict())


def test_a_method_trains_nothing_that_the_model_has_frozen() -> None:
    net = net_of(replace(PLAIN, strategy=LoRA(train=("head.*", "@norm"))), "head.weight")
    trained = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert "head.weight" not in trained
    assert {"head.bias", "features.block1.norm.bias", "features.linear.lora_A"} < trained


def test_what_is_frozen_may_be_local_too() -> None:
    assert fixed(net_of(replace(PLAIN, strategy=FedBN()), "features.block1.*"))


def test_patterns_that_choose_nothing_are_refused() -> None:
    with pytest.raises(UserError, match=r"model\.freeze: expected patterns .* got body\.\*\. The model's weights"):
        net_of(PLAIN, "body.*", "@head")


def test_a_net_of_which_nothing_is_left_to_train_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.freeze: expected weights that are left to train, got all of them"):
        net_of(PLAIN, "*")
    assert net_of(replace(PLAIN, strategy=LoRA()), "*")
