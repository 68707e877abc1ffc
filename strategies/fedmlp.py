"""FedMLP: labels that a client's annotator left out are tagged by class prototypes; a teacher covers the others.

Sun, Wu, Shi, Yu, Yang, Cheng, Yan: FedMLP: Federated Multi-Label Medical Image Classification under Task
Heterogeneity. MICCAI 2024, arXiv 2406.18995.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.metrics.ranking import auc, curve
from fedmed.strategies._directions import unit


@dataclass(frozen=True, kw_only=True)
class FedMLP(Method):
    """Two stages: warm-up on annotated entries, then every round the surest missing ones get their label for good.

    Stage 1: mean over views of BCE(p', y) where annotated, plus (p - g)^2 where not, g being the received model's p.
    Stage 2: BCE(p', y or tag) where annotated or tagged, plus (p - g)^2 elsewhere, over all entries together.
    Tags compare features of the received global model with prototypes of locally trained ones.

    warmup_rounds: rounds of stage 1 (>= 1; null: a tenth of the run, at least 2, and fewer than all; all: never tags).
    views: augmented views of a batch in stage 1 (1 or 2; 2 differ only where the run's augment varies images).
    logit_adjustment: whether training logits are shifted by the log-odds of the client's prior (true or false).
    distillation: whether stage 1 holds missing entries to the received model (true or false).
    consistency: whether stage 2 holds untagged entries to the received model (true or false).
    norm: supervised mean over annotated entries or over all entries (active or all; stage 2: without consistency).
    lower: probability below which a label counts as surely absent (0 to 1).
    upper: probability above which a label counts as surely present (0 to 1).
    negative_share: share of the candidates nearer to absent that are tagged absent per round (0 to 1).
    positive_share: share of the candidates nearer to present that are tagged present per round (0 to 1).
    adaptive: whether both shares are multiplied by the clients' mean sureness of the class (true or false).
    min_tag: fewest labels tagged per class, side and round, where there are candidates (>= 0).
    min_count: fewest labels behind a prototype that leaves a client (>= 1).
    step: how far the server's prototypes move to those of the round (0 to 1; 1 replaces them).
    """

    relabels: ClassVar[bool] = True

    warmup_rounds: Annotated[int, Ge(1)] | None = None
    views: Literal[1, 2] = 2
    logit_adjustment: bool = True
    distillation: bool = True
    consistency: bool = True
    norm: Literal["active", "all"] = "active"
    lower: Annotated[float, Interval(ge=0, le=1)] = 0.3
    upper: Annotated[float, Interval(ge=0, le=1)] = 0.7
    negative_share: Annotated[float, Interval(ge=0, le=1)] = 0.005
    positive_share: Annotated[float, Interval(ge=0, le=1)] = 0.01
    adaptive: bool = True
    min_tag: Annotated[int, Ge(0)] = 1
    min_count: Annotated[int, Ge(1)] = 2
    step: Annotated[float, Interval(gt=0, le=1)] = 1.0

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses other tasks than multi-label, and more warm-up rounds than there are; warns when no round is left."""
        faults = []
        if setup.task.kind != "multilabel":
            fix = "Use a dataset with several labels per image, or another strategy."
            faults.append(Fault("strategy", "a multilabel task for fedmlp", setup.task.kind, fix))
        if self.lower > self.upper:
            faults.append(Fault("strategy.lower", f"at most strategy.upper={self.upper}", str(self.lower)))
        if (warmup := self._warmup(setup.rounds)) > setup.rounds:
            fix = "Lower it, or raise rounds: labels are tagged only after the warm-up."
            faults.append(Fault("strategy.warmup_rounds", f"at most rounds={setup.rounds}", str(warmup), fix))
        elif warmup == setup.rounds:
            warnings.warn(f"fedmlp tags nothing: all {warmup} rounds are warm-up rounds", stacklevel=2)
        return faults

    def prepare(self, client: Client) -> None:
        given, rows, before = client.given, len(client.given), None
        if self._tags(client) and given.seen is not None:
            seen = _seen(given)
            features, before = client.collect(client.received)
            tag = client.state["tag"] = self._tag(client, features, seen)
            client.relabel(torch.where(tag == 1, 1.0, given.y), seen | (tag >= 0))
        # pi = positives / n, clamped to [1/(n+1), n/(n+1)]; p' = sigmoid(z + log(pi / (1 - pi)))
        # of a class that the client annotates in part, n is what it knows of it: unknown entries are no negatives
        known = _seen(client.train).sum(0).where(_seen(given).any(0), rows)
        prior = (client.train.y.sum(0) / known).clamp(1 / (rows + 1), rows / (rows + 1))
        shift = prior.logit() if self.logit_adjustment else torch.zeros_like(prior)
        client.keep(_Round(shift, before))

    def loss(self, client: Client, batch: Batch) -> Tensor:
        shift = client.kept(_Round).shift
        losses = [client.task.loss(logits + shift, batch.y, batch.seen) for _, logits in self._views(client, batch)]
        mean = torch.stack(losses).mean()
        whole = self.consistency if self._tags(client) else False
        if batch.seen is None or not (whole or self.norm == "all"):
            return mean
        # sum sup BCE / (B C) from sum sup BCE / sum sup
        return mean * batch.seen.expand_as(batch.y).float().mean()

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        tags = self._tags(client)
        if batch.seen is None or not (self.consistency if tags else self.distillation):
            return 0.0
        hidden = ~batch.seen.expand_as(batch.y)  # (B, C)
        if not hidden.any():
            return 0.0
        x, logits = (torch.cat(parts) for parts in zip(*self._views(client, batch), strict=True))
        with torch.no_grad():
            teacher = client.received(x).sigmoid()
        views = len(x) // len(hidden)
        squares = (logits.sigmoid() - teacher).square() * hidden.repeat(views, 1)
        # over B C entries in stage 2, over the unannotated ones in stage 1
        size = views * (hidden.numel() if tags else int(hidden.sum()))
        mean: Tensor = squares.sum() / size
        return mean

    def report(self, client: Client) -> Payload:
        if client.round < self._warmup(client.rounds):
            return {}
        features, logits = client.collect(client.model)
        client.kept(_Round).after = logits
        seen = _seen(client.given)
        rows, counts = prototypes(features, client.given.y, seen)
        _finite(client, "features", rows.T, 2)
        counts = counts * (counts >= self.min_count)
        p = logits.sigmoid()
        sure = ((p < self.lower) | (p > self.upper)) & ~seen
        return {
            "prototypes": rows * (counts > 0)[:, None],
            "counts": counts,
            "missing": ~seen.all(0),
            # t_k[c] = share of the unannotated entries with p < L or p > U
            "learning_degree": sure.sum(0).double() / (~seen).sum(0).clamp(min=1),
        }

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        sent = [r for r in reports if r.payload]
        if not sent:
            return dict(server.state)
        rows, counts, missing, degree = (
            torch.stack([r.payload[name] for r in sent])
            for name in ("prototypes", "counts", "missing", "learning_degree")
        )
        n = degree.new_tensor([r.examples for r in sent])[:, None]
        # G[2c+b] = sum n_k P_k[2c+b] / sum n_k over the clients that have it; tau[c] likewise over those that miss c
        fresh, known = _mean(n * (counts > 0), rows), (counts > 0).any(0)
        old = server.state.get("prototypes", torch.zeros_like(fresh))
        valid = server.state.get("valid", torch.zeros_like(known))
        step = torch.where(valid, self.step, 1.0)[:, None]
        moved = (1 - step) * old + step * fresh
        tau = server.state.get("tau", torch.ones_like(degree[0]))
        server.state["prototypes"] = torch.where(known[:, None], moved, old)
        server.state["valid"] = valid | known
        server.state["tau"] = torch.where(missing.any(0), _mean(n * missing, degree[..., None])[:, 0], tau)
        return dict(server.state)

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """Per class: given positives, or precision (by side too), recall and coverage of tags; missing-class AUC."""
        seen, present = _seen(client.given), truth > 0
        tag = client.state.get("tag", torch.full_like(truth, -1, dtype=torch.int8))
        out: dict[str, float] = {}
        for c in range(truth.shape[1]):
            if seen[:, c].any():
                out[f"positives.{c}"] = float((present & seen)[:, c].sum())
            if not seen[:, c].all():
                out |= {f"{name}.{c}": value for name, value in _worth(tag[:, c], present[:, c], seen[:, c]).items()}
        kept = client.kept(_Round)
        for when, logits in (("before", kept.before), ("after", kept.after)):
            areas = None if logits is None else auc(curve(logits, present, ~seen))
            if areas is not None and areas.isfinite().any():
                out[f"missing_auc.{when}"] = areas.nanmean().item()
        return out

    def _warmup(self, rounds: int) -> int:
        """How many rounds stage 1 has."""
        return min(max(2, rounds // 10), max(1, rounds - 1)) if self.warmup_rounds is None else self.warmup_rounds

    def _tags(self, client: Client) -> bool:
        """Whether the round is one of stage 2."""
        return client.round > self._warmup(client.rounds)

    def _views(self, client: Client, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Images and logits of the batch and, in stage 1 with two views, of another view of it."""
        if "fedmlp" not in batch.cache:
            views = batch.cache["fedmlp"] = [(batch.x, batch.logits)]
            if self.views == 2 and not self._tags(client):
                x = client.view(batch)
                views.append((x, client.model(x)))
        found: list[tuple[Tensor, Tensor]] = batch.cache["fedmlp"]
        return found

    def _tag(self, client: Client, features: Tensor, seen: Tensor) -> Tensor:
        """The client's tags (N, C) int8 with this round's added: 1 present, 0 absent, -1 none. features: (N, D)."""
        tag: Tensor = client.state.get("tag", torch.full_like(seen, -1, dtype=torch.int8))
        difference = cosine_difference(features, client.inbox["prototypes"])
        _finite(client, "features and prototypes", difference, 1)
        valid, tau = client.inbox["valid"], client.inbox["tau"]
        open_ = ~seen & (tag < 0) & valid[0::2] & valid[1::2]
        rate = tau if self.adaptive else torch.ones_like(tau)
        absent = self._chosen(difference, open_ & (difference >= 0), rate * self.negative_share, rate > 0)
        present = self._chosen(-difference, open_ & (difference < 0), rate * self.positive_share, rate > 0)
        return tag.masked_fill(absent, 0).masked_fill(present, 1)

    def _chosen(self, score: Tensor, among: Tensor, share: Tensor, some: Tensor) -> Tensor:
        """The candidates with the highest scores (N, C), per class floor(share of them) or at least `min_tag`."""
        total = among.sum(0)
        # Without 1e-9 floating point loses a tag: .01 * .7 * 1000 = 6.999...
        count = (share * total + 1e-9).floor().long()
        count = torch.where(some, count.clamp(min=self.min_tag), count).minimum(total)
        order = torch.sort(score.masked_fill(~among, -torch.inf), dim=0, descending=True, stable=True).indices
        place = torch.arange(len(score), device=order.device)[:, None].expand_as(order)
        return torch.empty_like(order).scatter_(0, order, place) < count


@dataclass(slots=True)
class _Round:
    """What a client's round goes by.

    shift: of training logits, the log-odds of the prior (C,). before, after: logits (N, C) of the training images,
    by the received model in rounds that tag, and by the trained one in rounds that report.
    """

    shift: Tensor
    before: Tensor | None = None
    after: Tensor | None = None


def prototypes(features: Tensor, y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean features (2C, D) per class and label, row 2c + label, zero where there is none; how many each has (2C,).

    features: (N, D). y, seen: (N, C).
    """
    member = torch.stack([seen & (y == 0), seen & (y > 0)], 2).flatten(1)  # (N, 2C)
    counts = member.sum(0)
    return member.to(features.dtype).T @ features / counts.clamp(min=1)[:, None], counts


def cosine_difference(features: Tensor, rows: Tensor) -> Tensor:
    """Cosine with the prototype of label 0 minus that of label 1, (N, C); 0 for a zero feature vector.

    features: (N, D). rows: prototypes (2C, D).
    """
    cosine = unit(features) @ unit(rows).T
    return cosine[:, 0::2] - cosine[:, 1::2]


def _seen(examples: Examples) -> Tensor:
    """Which entries are annotated, (N, C)."""
    if examples.seen is None:
        return torch.ones_like(examples.y, dtype=torch.bool)
    return examples.seen.expand_as(examples.y)


def _mean(weight: Tensor, values: Tensor) -> Tensor:
    """Mean over K clients (M, D) float32 or as given, 0 where no weight is; weight: (K, M), values: (K, M, D)."""
    total = (weight[..., None] * values).sum(0) / weight.sum(0).clamp(min=1)[:, None]
    return total.to(values.dtype)


def _worth(tag: Tensor, present: Tensor, seen: Tensor) -> dict[str, float]:
    """Share of right tags, by side too, of found positives and of tagged entries among a class's missing ones; (N,)."""
    tagged, right = tag >= 0, (tag == 1) == present
    hidden = present & ~seen
    out = {"tag_coverage": tagged.sum().item() / (~seen).sum().item()}
    if tagged.any():
        out["tag_precision"] = right[tagged].float().mean().item()
    for side, chosen in (("absent", tag == 0), ("present", tag == 1)):
        if chosen.any():
            out[f"tag_precision_{side}"] = right[chosen].float().mean().item()
    if hidden.any():
        out["tag_recall"] = (tag == 1)[hidden].float().mean().item()
    return out


def _finite(client: Client, what: str, values: Tensor, columns: int) -> None:
    """Raises UserError, which names client, round and class; values: (N, columns of every class)."""
    if values.isfinite().all():
        return
    broken = int((~values.isfinite()).any(0).nonzero()[0]) // columns
    fix = "Training diverged: lower optimizer.lr, or set clip_norm."
    raise refuse(f"client {client.id}, round {client.round}, class {broken}", f"finite {what}", "nan or infinity", fix)
