"""A head that is generated for a ray: a point of the simplex over objectives, which says which compromise is wanted.

Navon, Shamsian, Chechik, Fetaya: Learning the Pareto Front with Hypernetworks. ICLR 2021, arXiv 2010.04104.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from fedmed.data.examples import Examples
from fedmed.errors import Fault, UserError
from fedmed.method import Client
from fedmed.tasks import Task

Plain = nn.Linear | nn.Conv2d | nn.Conv3d

LARGEST = 100_000
"""The most weights of a head that is generated."""

START = 0.1
"""What the last layer's weights begin multiplied with, so that every ray begins near the plain head."""

LEAST = 0.001
"""The least that an objective counts in a ray that is searched for."""


class GeneratedHead(nn.Module):
    """A linear layer, or a convolution of one pixel, whose weights a small net gives for a ray (J,).

    forward: logits at the uniform ray. The last layer's biases begin as the weights of the plain layer.
    """

    def __init__(self, base: Plain, objectives: int, width: int) -> None:
        super().__init__()
        self.objectives, self.outputs, self.inputs = objectives, base.weight.shape[0], base.weight.shape[1]
        self.axes = base.weight.dim() - 2
        last = nn.Linear(width, self.outputs * (self.inputs + 1))
        self.generator = nn.Sequential(
            nn.Linear(objectives, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last
        )
        with torch.no_grad():
            last.weight.mul_(START)
            bias = base.weight.new_zeros(self.outputs) if base.bias is None else base.bias
            last.bias.copy_(torch.cat([base.weight.flatten(1), bias[:, None]], dim=1).flatten())

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(features, self.uniform[None])[0]

    @property
    def uniform(self) -> Tensor:
        """The ray (J,) on which all objectives count alike."""
        weight = self.generator.get_parameter("0.weight")
        return weight.new_full((self.objectives,), 1 / self.objectives)

    def logits(self, features: Tensor, rays: Tensor) -> Tensor:
        """Logits (n, B, K, ...) of features (B, D, ...) at every ray (n, J)."""
        weight, bias = self.weights(rays)
        found = torch.einsum("bd...,nkd->nbk...", features, weight)
        return found + bias.view(len(rays), 1, self.outputs, *[1] * (features.dim() - 2))

    def weights(self, rays: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (n, K, D) and biases (n, K) of the head at every ray (n, J)."""
        first = self.generator.get_parameter("0.weight")
        # J r - 1: 0 at the uniform ray, and J - 1 at the corners however many there are
        found: Tensor = self.generator(rays.to(first) * self.objectives - 1)
        found = found.view(len(rays), self.outputs, self.inputs + 1)
        return found[..., :-1], found[..., -1]

    def plain(self, ray: Tensor) -> Plain:
        """The layer that this head is at a ray (J,)."""
        layer: Plain = nn.Linear(self.inputs, self.outputs)
        if self.axes:
            layer = (nn.Conv2d if self.axes == 2 else nn.Conv3d)(self.inputs, self.outputs, 1)
        with torch.no_grad():
            weight, bias = self.weights(ray[None])
            layer.weight.copy_(weight[0].view(layer.weight.shape))
            assert layer.bias is not None
            layer.bias.copy_(bias[0])
        return layer.train(self.training).requires_grad_(False)

    def merged(self) -> Plain:
        """The layer at the uniform ray, where objectives count alike."""
        return self.plain(self.uniform)


def generated(head: nn.Module, objectives: int, width: int) -> nn.Module:
    """A head like this one with its layer of weights generated; raises `UserError` where it cannot be."""
    layer = _layer(head)
    if layer is None or any(head_faults(head)):
        raise UserError(*head_faults(head))
    return with_layer(head, GeneratedHead(layer, objectives, width))


def head_faults(head: nn.Module) -> Iterator[Fault]:
    """Why a head cannot be generated."""
    layer = _layer(head)
    if layer is None:
        fix = "Use a model whose head is a linear layer or a convolution of one pixel, as all of fedmed's have."
        yield Fault("model.head", "a linear layer, or a convolution of one pixel", type(head).__name__, fix)
    elif (size := layer.weight.numel() + len(layer.weight)) > LARGEST:
        fix = "Use a smaller head; low-rank updates of a head could be generated, strategy=lora trains such."
        yield Fault("model.head", f"at most {LARGEST} weights to generate", str(size), fix)


def with_layer(head: nn.Module, layer: nn.Module) -> nn.Module:
    """The head with another layer in place of its last one, or the layer where the head is no more than that."""
    if not isinstance(head, nn.Sequential):
        return layer
    head[-1] = layer
    return head


def generator_of(head: nn.Module) -> GeneratedHead | None:
    """The generated layer of a head; None where it has none."""
    layer = head[-1] if isinstance(head, nn.Sequential) and len(head) else head
    return layer if isinstance(layer, GeneratedHead) else None


def logits_at(head: nn.Module, features: Tensor, rays: Tensor) -> Tensor:
    """Logits (n, B, K, ...) of a head with a generated layer at every ray (n, J), of features (B, D, ...)."""
    layer = generator_of(head)
    assert layer is not None
    for before in [*head.children()][:-1] if isinstance(head, nn.Sequential) else ():
        features = before(features)
    return layer.logits(features, rays)


def losses_at(head: nn.Module, features: Tensor, rays: Tensor, task: Task, examples: Examples) -> Tensor:
    """The task's loss (n,) of such a head at every ray (n, J), over all examples."""
    y, seen = examples.y.to(features.device), examples.seen
    seen = None if seen is None else seen.to(features.device)
    return torch.stack([task.loss(logits, y, seen) for logits in logits_at(head, features, rays)])


def ray_losses(client: Client, head: str, examples: Examples) -> Callable[[Tensor], Tensor]:
    """Losses (n,) of the client's received model at rays (n, J), over all examples; its features are computed once.

    head: name of the part of the net with a generated layer.
    """
    net = client.received
    features, _ = client.collect(net, examples.x)
    part = net.get_submodule(head)
    return lambda rays: losses_at(part, features, rays.to(features.device), client.task, examples)


def search(losses: Callable[[Tensor], Tensor], objectives: int, *, steps: int, lr: float) -> Tensor:
    """The ray (J,) float64 of least loss, by steps down from the uniform one.

    r <- clamp(r - lr dL/dr, .001, 1), then r <- r / sum r. losses: (n, J) -> (n,).
    """
    ray = torch.full((objectives,), 1 / objectives, dtype=torch.float64)
    for _ in range(steps):
        ray.requires_grad_()
        (slope,) = torch.autograd.grad(losses(ray[None])[0], ray)
        ray = (ray.detach() - lr * slope).clamp(LEAST, 1)
        ray = ray / ray.sum()
    return ray.detach()


def _layer(head: nn.Module) -> Plain | None:
    """The one layer with weights of a head, its last; None where it has another form."""
    *before, layer = head if isinstance(head, nn.Sequential) and len(head) else [head]
    if any(next(part.parameters(), None) is not None for part in before):
        return None
    if type(layer) is nn.Conv2d or type(layer) is nn.Conv3d:
        whole = {*layer.kernel_size, *layer.stride} == {1} and layer.groups == 1 and set(layer.padding) == {0}
        return layer if whole else None
    return layer if type(layer) is nn.Linear else None
