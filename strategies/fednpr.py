"""FedNPR: features are drawn to the nearest of their class's sub-centroids, so that no class shapes them by its size.

Wicaksana, Yan, Cheng: Non-parametric regularization for class imbalance federated medical image classification. 2024,
arXiv 2407.12446. Balanced softmax: Ren et al., NeurIPS 2020, arXiv 2007.10740.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Setup
from fedmed.strategies._directions import lengths, unit


@dataclass(frozen=True, kw_only=True)
class FedNPR(Method):
    """Adds weight * L_npr to the balanced softmax loss: cross-entropy on cosines to the nearest sub-centroid per class.

    Sub-centroids stay at the client, which finds them anew from its own images as each round begins.
    FedNPR-Per is local=[@head].
    weight: weight of L_npr (>= 0; 0 with supervised=base is FedAvg).
    start: first round in which L_npr counts (>= 1; 1: from the beginning; early, it moves features more than the loss).
    supervised: balanced (the task's loss on logits plus the log of the client's class frequencies), or base (neutral:
       the task's loss, or that of another method in the chain); 0 for weight and base is FedAvg.
    centroids: sub-centroids per class (>= 1).
    assign: which sub-centroid an image belongs to: sinkhorn (equally many images each), nearest, or random (as in
       the authors' code in effect).
    sinkhorn_eps: temperature of the assignment (> 0; small: near to nearest at first).
    sinkhorn_iterations: rounds of balancing (>= 1; many: equally many images each).
    momentum: how much of a sub-centroid stays at a refresh (0 to below 1; 0: nothing).
    min_examples: images of a class without which its sub-centroids are not refreshed (images, >= 1).
    mask: whether images of such classes are no targets of L_npr (false: as in the authors' code).
    mix: multiply (weight * L_npr), or add (weight + L_npr, as in the authors' code; a weight of 0 is off all the same).
    """

    weight: Annotated[float, Ge(0)] = 0.05
    start: Annotated[int, Ge(1)] = 1
    supervised: Literal["balanced", "base"] = "balanced"
    centroids: Annotated[int, Ge(1)] = 4
    assign: Literal["sinkhorn", "nearest", "random"] = "sinkhorn"
    sinkhorn_eps: Annotated[float, Gt(0)] = 0.05
    sinkhorn_iterations: Annotated[int, Ge(1)] = 3
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    min_examples: Annotated[int, Ge(1)] = 2
    mask: bool = True
    mix: Literal["multiply", "add"] = "multiply"

    @property
    def idle(self) -> frozenset[str]:
        plain = {"loss"} if self.supervised == "base" else set[str]()
        off = set[str]() if self.weight else {"penalty", "audit"}
        return frozenset(plain | off | ({"prepare"} if plain and off else set()))

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses tasks without one class per image: priors and sub-centroids are defined for these only."""
        if setup.task.kind == "multiclass":
            return ()
        fix = "Use a multi-class dataset, or another strategy."
        return [Fault("strategy", "a task with one class per image for fednpr", setup.task.kind, fix)]

    def prepare(self, client: Client) -> None:
        counts = client.train.y.bincount(minlength=client.task.classes)  # (C,)
        client.keep(_Classes(counts, log_prior(counts)))
        if self.weight:
            client.keep(self._refreshed(client, counts))

    def _refreshed(self, client: Client, counts: Tensor) -> _Centroids:
        """The client's sub-centroids, found anew for every class of which there are enough images."""
        features = unit(torch.cat([part.features for part in client.sweep(client.model)]))  # (N, D)
        kept = client.state.get("centroids")
        if kept is None:
            kept = torch.empty(len(counts), self.centroids, features.shape[1], dtype=features.dtype)
            kept = nn.init.trunc_normal_(kept, std=0.02, generator=client.rng).to(features.device)
        found = [
            self._of_class(rows, features[client.train.y == c], client) if counts[c] >= self.min_examples else rows
            for c, rows in enumerate(kept.unbind())
        ]
        rows = client.state["centroids"] = torch.stack(found)
        targets = counts >= self.min_examples if self.mask else counts >= 0
        return _Centroids(unit(rows), features, targets, masks=bool(counts[~targets].any()))

    def _of_class(self, rows: Tensor, features: Tensor, client: Client) -> Tensor:
        """The sub-centroids (K, D) of one class from those before and the unit features (n, D) of its images."""
        fresh = cluster_means(features, self._assigned(features @ unit(rows).T, client), len(rows))
        return unit(self.momentum * unit(rows) + (1 - self.momentum) * fresh) if self.momentum else fresh

    def _assigned(self, similar: Tensor, client: Client) -> Tensor:
        """The sub-centroid of every image, (n,), from similarities (n, K)."""
        if self.assign == "random":
            drawn = torch.randint(similar.shape[1], (len(similar),), generator=client.rng)
            return drawn.to(similar.device)
        if self.assign == "nearest":
            return similar.argmax(1)
        return sinkhorn(similar, self.sinkhorn_eps, self.sinkhorn_iterations).argmax(1)

    def loss(self, client: Client, batch: Batch) -> Tensor:
        # L_bsm = CE(y_hat + log(pi + 1e-9), y)
        return client.task.loss(batch.logits + client.kept(_Classes).log_prior, batch.y, batch.seen)

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        if client.round < self.start:
            return 0.0
        features, y, centroids = batch.features, batch.y, client.kept(_Centroids)
        if centroids.masks:
            chosen = centroids.targets[y]  # (B,)
            if not chosen.any():
                return 0.0
            features, y = features[chosen], y[chosen]
        # L_npr = CE(z, y)
        npr = F.cross_entropy(standings(features, centroids.directions), y)
        return self.weight * npr if self.mix == "multiply" else self.weight + npr

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """How far the classes stand apart in the received model, and what the sub-centroids are worth.

        cosine.own, cosine.other: mean cosine of two images of one class, of two classes. npr: L_npr of all images.
        purity: share of images that are of the most frequent class at the sub-centroid nearest to them, of any class.
        gradient.ratio: norm of the gradient of weight * L_npr by the features over that of the loss, once trained.
        centroids.cosine: mean cosine of two sub-centroids of one class. centroids.empty: of classes refreshed.
        classes.absent, classes.masked: how many have no images, or no targets.
        """
        counts, centroids = client.kept(_Classes).counts, client.kept(_Centroids)
        features, directions = centroids.features, centroids.directions
        fresh = directions[counts >= self.min_examples]
        return {
            "npr": F.cross_entropy(standings(features, directions), truth).item(),
            "gradient.ratio": self._gradient_ratio(client, centroids),
            "purity": purity((features @ directions.flatten(0, 1).T).argmax(1), truth),
            "centroids.empty": float((~fresh.any(2)).sum()),
            "classes.absent": float((counts == 0).sum()),
            "classes.masked": float((~centroids.targets).sum()),
            **_pair_cosines(features, truth),
            **_centroid_cosine(fresh),
        }

    def _gradient_ratio(self, client: Client, centroids: _Centroids) -> float:
        """How much more L_npr would move the features of the client's images than the loss that it stands beside."""
        squares = torch.zeros(2, dtype=torch.float64)
        prior = client.kept(_Classes).log_prior if self.supervised == "balanced" else 0.0
        for part in client.sweep(client.model):
            y, f = client.train.y[part.rows], part.features.detach().requires_grad_()
            with torch.enable_grad():
                npr = F.cross_entropy(standings(f, centroids.directions), y, reduction="none")
                of_npr = self.weight * (npr * centroids.targets[y]).sum()
                of_loss = client.task.loss(client.model.head(f) + prior, y, None) * len(y)
                for n, value in enumerate((of_npr, of_loss)):
                    squares[n] += torch.autograd.grad(value, f)[0].double().square().sum().cpu()
        return float((squares[0] / squares[1]).sqrt())


@dataclass(frozen=True, slots=True)
class _Classes:
    """How many training images of each class the client has, and the log of their shares; both (C,)."""

    counts: Tensor
    log_prior: Tensor


@dataclass(frozen=True, slots=True)
class _Centroids:
    """The sub-centroids of a round, and the images that they were found from.

    directions: of the sub-centroids (C, K, D), of unit length or zero. features: of the training images (N, D), of
    unit length. targets: classes whose images are targets of L_npr (C,). masks: whether any image is of another class.
    """

    directions: Tensor
    features: Tensor
    targets: Tensor
    masks: bool


def log_prior(counts: Tensor) -> Tensor:
    """log(pi + 1e-9) of class counts (C,): finite for a class without images."""
    return (counts / counts.sum() + 1e-9).log()


def standings(features: Tensor, directions: Tensor) -> Tensor:
    """How near features (B, D) are to each class's nearest sub-centroid, normalised over classes: (B, C).

    directions: of the sub-centroids (C, K, D), see `unit`. A feature without a direction is equally near to all.
    """
    classes, number, width = directions.shape
    products = (features @ directions.view(-1, width).T).view(-1, classes, number)
    # S[n,k,c] = <f_n, m_ck> / (||f_n|| ||m_ck||);  s[n,c] = max_k S[n,k,c], the length of f_n divided out last
    nearest = products.max(2).values / lengths(features)
    # z = (s - mean_c s) / sqrt(var_c s + 1e-5)
    return F.layer_norm(nearest, (classes,), eps=1e-5)


def sinkhorn(similar: Tensor, eps: float, iterations: int) -> Tensor:
    """Shares (n, K), each row summing to 1, of images in K clusters that are about equally large (Sinkhorn-Knopp).

    similar: (n, K). In logarithms, as exp(1 / eps) overflows for small eps.
    """
    q = similar / eps
    for _ in range(iterations):
        q = q - q.logsumexp(0, keepdim=True)
        q = q - q.logsumexp(1, keepdim=True)
    return q.exp()


def cluster_means(features: Tensor, assigned: Tensor, clusters: int) -> Tensor:
    """Directions (K, D) of the mean feature (n, D) of each cluster; zero for an empty one. assigned: (n,)."""
    total = features.new_zeros(clusters, features.shape[1]).index_add_(0, assigned, features)
    # m_ck <- sum_n q_nk f_n / (sum_n q_nk + 1e-10)
    return unit(total / (assigned.bincount(minlength=clusters)[:, None] + 1e-10))


def purity(cluster: Tensor, classes: Tensor) -> float:
    """Share of images (N,) that are of the most frequent class in their cluster."""
    table = torch.zeros(int(cluster.max()) + 1, int(classes.max()) + 1, dtype=torch.int64)
    table.index_put_((cluster.cpu(), classes.cpu()), torch.ones(1, dtype=torch.int64), accumulate=True)
    return float(table.amax(1).sum() / table.sum())


def _pair_cosines(features: Tensor, classes: Tensor) -> dict[str, float]:
    """Mean cosine over pairs of unit features (N, D) of one class, and of two; each only where there are such pairs."""
    counts = classes.bincount().double()
    totals = features.new_zeros(len(counts), features.shape[1], dtype=torch.float64)
    totals.index_add_(0, classes, features.double())
    # sum_{i != j} <f_i, f_j> = ||sum f_i||^2 - sum ||f_i||^2
    itself, within, every = features.double().square().sum(), totals.square().sum(), totals.sum(0).square().sum()
    own, pairs = (counts * (counts - 1)).sum(), len(features) * (len(features) - 1)
    sums = {"cosine.own": (within - itself, own), "cosine.other": (every - within, pairs - own)}
    return {name: float(total / number) for name, (total, number) in sums.items() if number > 0}


def _centroid_cosine(rows: Tensor) -> dict[str, float]:
    """Mean cosine over pairs of sub-centroids of one class (C, K, D); nothing where there is no pair."""
    classes, number = rows.shape[:2]
    if classes == 0 or number == 1:
        return {}
    every, itself = rows.sum(1).square().sum(), rows.square().sum()
    return {"centroids.cosine": float((every - itself) / (classes * number * (number - 1)))}
