"""Whom a client would weigh beside itself: its best ray over all clients' losses, by a generated head beside the net's.

Chen, Wu, Tang, He, Ong, Liu, Lao, Yu: Free-Rider and Conflict Aware Collaboration Formation for Cross-Silo Federated
Learning. NeurIPS 2024, arXiv 2410.19321. Weighted sums over rays: Navon et al., ICLR 2021, arXiv 2010.04104.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.errors import Fault
from fedmed.method import Batch, Client, Setup
from fedmed.models.net import Net
from fedmed.strategies import _hypernet as hypernet
from fedmed.strategies._rays import rays

PART = "hypernet"
"""Name in the net of the generated head, which predicts nothing."""

WIDTH, RAYS = 32, 8
"""Width of the generator; rays of a round, where there are not more clients."""

STEPS, LENGTH = 50, 0.05
"""Steps of a client's search for its ray, and their length."""


@dataclass(frozen=True, slots=True)
class RoundRays:
    """The rays (n, N) on which a client trains in a round."""

    values: Tensor


def faults(net: Net, *, start: str, reform: int) -> Iterator[Fault]:
    """Why gains cannot be measured so."""
    if start != "together":
        fix = "Set strategy.start=together, with which models reach rivals in the warm-up, or use benefit=transfer."
        yield Fault("strategy.start", "together for benefit=hypernet, as one model is trained by all", start, fix)
    if reform:
        fix = "Set strategy.reform=0: apart from one another, coalitions train no generator together."
        yield Fault("strategy.reform", "0 for benefit=hypernet", str(reform), fix)
    yield from hypernet.head_faults(net.head)


def build(net: Net, setup: Setup) -> Net:
    """The net with a generated head beside its own, over rays of all clients."""
    setattr(net, PART, hypernet.generated(copy.deepcopy(net.head), setup.clients, WIDTH))
    return net


def begin(client: Client) -> None:
    """Looks up the rays on which the client trains the generator in this round."""
    n = _objectives(client.model)
    client.keep(RoundRays(rays(n, max(RAYS, n), seed=client.seed, round=client.round)))


def loss(client: Client, batch: Batch) -> Tensor:
    """(1/n) sum_k r_k[i] L_i(theta(r_k)), which trains the generator and nothing else of the net."""
    found = client.kept(RoundRays).values
    images, head = Examples(batch.x, batch.y, batch.seen), client.model.get_submodule(PART)
    losses = hypernet.losses_at(head, batch.features.detach(), found, client.task, images)
    return (found[:, client.id].to(losses) * losses).mean()


def ray(client: Client) -> Tensor:
    """The client's best ray (N,): how much it would have each client count."""
    losses = hypernet.ray_losses(client, PART, client.own_val)
    return hypernet.search(losses, _objectives(client.model), steps=STEPS, lr=LENGTH)


def _objectives(net: Net) -> int:
    layer = hypernet.generator_of(net.get_submodule(PART))
    assert layer is not None
    return layer.objectives


def taken_out(net: Net) -> Net:
    """The net without the generated head."""
    delattr(net, PART)
    return net
