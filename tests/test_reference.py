import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed.client import Training
from fedmed.data.examples import Examples
from fedmed.data.normalise import normaliser
from fedmed.engine.local import InProcessGrid
from fedmed.flower import client_app
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import create
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from tests import toys
from tests.reference import fedavg

SIZES = (13, 9, 5, 8)
"""With batches of 4, the first three clients have a single image left over."""


@pytest.mark.parametrize(
    ("model", "momentum", "sampled", "uint8"),
    [
        pytest.param(SmallCnn(width=2, channels_last=False), 0.0, None, False, id="plain"),
        pytest.param(SmallCnn(width=2), 0.0, None, False, id="channels last"),
        pytest.param(SmallCnn(width=2, norm="batch"), 0.0, None, False, id="batch norm"),
        pytest.param(SmallCnn(width=2, norm="batch", channels_last=False), 0.0, 2, False, id="sampling"),
        pytest.param(SmallCnn(width=2), 0.9, 3, False, id="momentum"),
        pytest.param(SmallCnn(width=2), 0.0, None, True, id="uint8 images"),
        pytest.param(SmallCnn(width=2, dropout=0.4), 0.0, None, False, id="dropout"),
    ],
)
def test_the_engine_equals_a_plain_loop_bit_for_bit(
    model: SmallCnn, momentum: float, sampled: int | None, uint8: bool
) -> None:
    clients = [_stored(toys.multiclass(size, seed), uint8) for seed, size in enumerate(SIZES)]
    normalise = _scale if uint8 else Tensor.float
    net = create(model, channels=3, outputs=3, side=toys.SIDE, seed=7)
    layout = torch.channels_last if model.channels_last else torch.contiguous_format
    settings = {"rounds": 3, "seed": 5, "lr": 0.1, "momentum": momentum, "sampled": sampled, "batch_size": 4}
    with torch.random.fork_rng(devices=[]):
        wanted = fedavg(net, F.cross_entropy, clients, normalise=normalise, layout=layout, **settings)
    got = _engine(net, model, clients, normaliser("none", [c.x for c in clients]), settings)
    differing = [name for name in wanted if not torch.equal(wanted[name], got[name])]
    assert differing == []
    assert list(got) == list(wanted)
    assert not torch.equal(next(iter(got.values())), next(iter(net.state_dict().values())))


def test_integer_buffers_become_the_maximum_and_float_buffers_the_mean() -> None:
    model = SmallCnn(width=2, norm="batch")
    net = create(model, channels=3, outputs=3, side=toys.SIDE, seed=7)
    clients = [_stored(toys.multiclass(size, size), False) for size in (4, 12)]
    settings = {"rounds": 1, "seed": 5, "lr": 0.1, "momentum": 0.0, "sampled": None, "batch_size": 4}
    both = _engine(net, model, clients, Tensor.float, settings)
    alone = _engine(net, model, clients[:1], Tensor.float, settings)
    steps, means = "features.block1.norm.num_batches_tracked", "features.block1.norm.running_mean"
    assert (alone[steps], both[steps]) == (1, 3)
    assert not torch.equal(alone[means], both[means])


def _engine(net: Any, model: SmallCnn, clients: list[Examples], normalise: Callable[[Tensor], Tensor], s: Any) -> Any:
    """The same training through client app, messages, grid and strategy."""
    training = Training(optimizer=Optimizer(lr=s["lr"], momentum=s["momentum"]), batch_size=s["batch_size"])
    task = toys.TOYS["multiclass"].task
    toy = toys.Toy(
        task=task, shares=tuple(toys.Held(c, c[:0], c[:0]) for c in clients), make=lambda: copy.deepcopy(net)
    )
    app = client_app(
        FedAvg(),
        net=toy.net(),
        task=task,
        training=training,
        share=toy.shares.__getitem__,
        normalise=normalise,
        seed=s["seed"],
        channels_last=model.channels_last,
    )
    grid = InProcessGrid(app, len(clients))
    ended = toys.federate(toy, FedAvg(), rounds=s["rounds"], seed=s["seed"], grid=grid, clients_per_round=s["sampled"])
    return ended.shared


def _stored(examples: Examples, uint8: bool) -> Examples:
    """Three channels: with one, both memory layouts are the same."""
    x = torch.cat([examples.x, examples.x.square(), 1 - examples.x], 1)
    return replace(examples, x=(x.abs() * 200).to(torch.uint8) if uint8 else x)


def _scale(x: Tensor) -> Tensor:
    return x * torch.tensor(1 / 255)
