"""The LoRA family: the net is frozen, each adapted layer learns a product of two thin matrices, and only these travel.

SFed-LoRA: Huang, Wu, He, Lao: Stabilized Fine-Tuning with LoRA in Federated Learning: Mitigating the Side Effect of
Client Size and Rank via the Scaling Factor. 2026, arXiv 2603.08058. LoRA: Hu et al., ICLR 2022, arXiv 2106.09685.
FedIT: Zhang et al., ICASSP 2024, arXiv 2305.05644. FFA-LoRA: Sun et al., ICLR 2024, arXiv 2403.12313. FedSA-LoRA:
Guo et al., ICLR 2025, arXiv 2410.01463. rsLoRA: Kalajdzievski, 2023, arXiv 2312.03732.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import sqrt
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Client, Method, Setup
from fedmed.models.net import Net, scope
from fedmed.strategies._low_rank import adaptable, draw, full_rank, low_rank_layers, update_norm, with_update

LISTED = 4
"""How many layers an error or a warning names."""


@dataclass(frozen=True, kw_only=True)
class LoRA(Method):
    """Trains W0 x + gamma B A x in place of W0 x, with W0 frozen; left alone it is FedIT, which averages A and B.

    The presets ffa_lora, fedsa_lora, fedsa_rslora and sfed_lora are the family's other members. As the mean of products
    is not the product of means, only one factor should be shared: local=["*.lora_B","@head"] keeps B and the head.
    A LoRA needs something to adapt: `model.weights`.
    rank: r, of the update of each layer (at least 1; FedIT 16, FedSA-LoRA 8).
    alpha: strength of the update (above 0; FedSA-LoRA 16).
    scaling: gamma: lora (alpha / r), rslora (alpha / sqrt(r)), or sfed (alpha sqrt(N / r), N clients a round).
    init: shared (all clients start from one A), or per_client (each draws its own as round 1 begins; sfed is for it).
    targets: globs over names of layers that get an update ([features.*]: all linear layers and ungrouped convolutions).
    train: what trains besides, as weight-name patterns ([head.*]; add @norm to a net that was trained elsewhere).
    train_a: whether A trains (false: FFA-LoRA, where it stays as drawn and is never sent).
    """

    rank: Annotated[int, Ge(1)] = 4
    alpha: Annotated[float, Gt(0)] = 1.0
    scaling: Literal["lora", "rslora", "sfed"] = "rslora"
    init: Literal["shared", "per_client"] = "shared"
    targets: tuple[str, ...] = ("features.*",)
    train: tuple[str, ...] = ("head.*",)
    train_a: bool = True

    @property
    def idle(self) -> frozenset[str]:
        return frozenset({"prepare"} if self.init == "shared" else ())

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses volumes, patterns that choose nothing, and an A that each client draws though nobody trains it."""
        return [*_deep(setup.dimensions), *self._unmatched(setup.net), *self._untrained()]

    def _unmatched(self, net: Net) -> Iterator[Fault]:
        layers = list(adaptable(net))
        for pattern in self.targets:
            if not _chosen(layers, [pattern]):
                fix = f"The first that could be: {_few(layers)}." if layers else "Use another model, or another method."
                expected = "patterns that match linear layers or ungrouped convolutions"
                yield Fault("strategy.lora.targets", expected, pattern, fix)
        if not self.targets:
            fix = f"The first that could be: {_few(layers)}."
            yield Fault("strategy.lora.targets", "at least one pattern", "none", fix)
        for pattern in self.train:
            if not scope(net, [pattern]):
                fix = "Leave it out, or name weights that the model has."
                yield Fault("strategy.lora.train", "patterns that match weights of the model", pattern, fix)

    def _untrained(self) -> Iterator[Fault]:
        if self.init == "per_client" and not self.train_a:
            fix = "Set init=shared: an A that nobody trains is the same everywhere."
            yield Fault("strategy.lora.init", "shared with train_a=false", self.init, fix)

    def build(self, net: Net, setup: Setup) -> Net:
        trained = scope(net, self.train)
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(parameter.requires_grad and name in trained)
        layers = adaptable(net)
        gamma = scale(self.scaling, alpha=self.alpha, rank=self.rank, clients=_averaged(setup))
        chosen = _chosen(layers, self.targets)
        for name in chosen:
            layer = with_update(layers[name], self.rank, gamma)
            layer.lora_A.requires_grad_(self.train_a)
            net.set_submodule(name, layer)
        if self.scaling == "sfed" and self.init == "shared":
            _warn("scaling=sfed with init=shared is sqrt(N) times too strong a step: sfed is for init=per_client")
        if above := [name for name in chosen if self.rank > full_rank(layers[name])]:
            _warn(f"rank={self.rank} is above what an update of {_few(above)} can have, and costs more than it gives")
        return net

    def prepare(self, client: Client) -> None:
        if client.round > 1:
            return
        with torch.no_grad():
            for layer in low_rank_layers(client.model):
                layer.lora_A.copy_(draw(layer.lora_A.shape, client.rng))

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """How strong the updates are after training, and how hard the last step pulled at each factor.

        gamma: the scale. update: ||gamma B A||_F over all adapted layers. gradient.A, gradient.B: norms of the
        gradients of the last step.
        """
        layers = list(low_rank_layers(client.model))
        return {
            "gamma": layers[0].gamma,
            "update": _length(update_norm(layer) for layer in layers),
            "gradient.A": _length(layer.lora_A.grad for layer in layers),
            "gradient.B": _length(layer.lora_B.grad for layer in layers),
        }


def _deep(dimensions: int) -> Iterator[Fault]:
    if dimensions == 3:
        fix = "Convolutions of volumes have no update: choose another strategy, or slices."
        yield Fault("strategy.lora", "images of 2 dimensions", "volumes", fix)


def scale(scaling: str, *, alpha: float, rank: int, clients: int) -> float:
    """gamma: what the product of the two factors is multiplied with. clients: N, selected for a round."""
    if scaling == "lora":
        return alpha / rank
    # sqrt(N / r) repairs the mean of N matrices A of own, whose variance is 1/N of one's
    return alpha * sqrt((clients if scaling == "sfed" else 1) / rank)


def _averaged(setup: Setup) -> int:
    """N: a constant of the run, whoever drops out, as B would mean something else under another gamma."""
    return min(setup.clients_per_round or setup.clients, setup.clients)


def _chosen(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _length(parts: Iterable[Tensor | None]) -> float:
    """The Euclidean length of all entries together; those that are None count as 0."""
    return sqrt(sum(float(part.double().square().sum()) for part in parts if part is not None))


def _warn(text: str) -> None:
    warnings.warn(f"strategy.lora: {text}", stacklevel=2)
