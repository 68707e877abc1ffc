"""Federated features: points in the space of a head, of every class alike, on which the head's gradients are as wanted.

Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching. ICLR 2021, arXiv 2006.05929.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Descent:
    """Plain gradient descent: how many steps (>= 0), and of what learning rate (> 0)."""

    steps: int
    lr: float


def class_gradients(head: nn.Module, weights: Weights, features: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """Gradients of the mean cross-entropy of each class by the head's weights: (C, ...), by their names.

    features: (C, n, D), n of each class. classes: (C,) int64, what they are labelled.
    """

    def loss(weights: Weights, own: Tensor, label: Tensor) -> Tensor:
        logits: Tensor = functional_call(head, dict(weights), (own,))
        return F.cross_entropy(logits, label.expand(len(own)))

    found: dict[str, Tensor] = vmap(grad(loss), in_dims=(None, 0, 0))(dict(weights), features, classes)
    return found


def distance(found: Weights, wanted: Weights) -> Tensor:
    """Sum of 1 - cos over classes and over rows of every weight (one row per output; a bias is one row), scalar.

    Both by weight name, (C, ...). A row of zeros has no direction: it counts 1, whatever the other is.
    """
    pairs = ((_rows(found[name]), _rows(gradient)) for name, gradient in wanted.items())
    return torch.stack([(1 - F.cosine_similarity(a, b, dim=-1)).sum() for a, b in pairs]).sum()


def _rows(gradient: Tensor) -> Tensor:
    return gradient.flatten(2) if gradient.dim() > 2 else gradient[:, None]  # (C, R, K)


def matched(
    head: nn.Module, weights: Weights, features: Tensor, classes: Tensor, wanted: Weights, descent: Descent
) -> Tensor:
    """The features (C, n, D), moved until the head's gradients on them point more nearly where the wanted ones do."""
    for _ in range(descent.steps):
        features = features.detach().requires_grad_()
        (slope,) = torch.autograd.grad(distance(class_gradients(head, weights, features, classes), wanted), features)
        features = features - descent.lr * slope
    return features.detach()


def retrained(head: nn.Module, weights: Weights, features: Tensor, y: Tensor, descent: Descent) -> dict[str, Tensor]:
    """The head's weights by name, after steps on the mean cross-entropy of all features (N, D) with labels y (N,)."""

    def loss(weights: Weights) -> Tensor:
        return F.cross_entropy(functional_call(head, dict(weights), (features,)), y)

    new = dict(weights)
    for _ in range(descent.steps):
        slopes = grad(loss)(new)
        new = {name: weight - descent.lr * slopes[name] for name, weight in new.items()}
    return new
