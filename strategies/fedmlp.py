"""FedMLP: labels that a client's annotator left out are tagged by class prototypes; a teacher covers the others.

Sun, Wu, Shi, Yu, Yang, Cheng, Yan: FedMLP: Federated Multi-Label Medical Image Classification under Task
Heterogeneity. MICCAI 2024, arXiv 2406.18995.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.metrics.ranking import auc, curve
from fedmed.strategies._class_prototypes import KNOWN, prototypes, updated
from fedmed.strategies._known_findings import annotated, mean_auc, ranked_pairs
from fedmed.strategies._learning_curves import past_knee
from fedmed.strategies._tags import Quota, cosine_difference, foremost, worth


@dataclass(frozen=True, kw_only=True)
class FedMLP(Method):
    """Two stages: warm-up on annotated entries, then every round the surest missing ones get their label for good.

    Stage 1: mean over views of BCE(p', y) where annotated, plus (p - g)^2 where not, g being the received model's p.
    Stage 2: BCE(p', y or tag) where annotated or tagged, plus (p - g)^2 elsewhere, over all entries together.
    Tags compare features of the received global model with prototypes of locally trained ones.

    trigger: what ends stage 1: warmup (warmup_rounds are over), knee (the AUC of annotated findings, on half of the
       clients' validation images, has stopped rising), or never (nothing is tagged).
    warmup_rounds: rounds of stage 1, for warmup (>= 1; null: a tenth of the run, at least 2, and fewer than all).
    window: rounds over which a rise of the AUC is taken, for knee (>= 1).
    fall: how much less than the largest rise the last one is, for knee (0 to 1).
    views: augmented views of a batch in stage 1 (1 or 2; 2 differ only where the run's augment varies images).
    logit_adjustment: whether training logits are shifted by the log-odds of the client's prior (true or false).
    prior: of a class that the client does not annotate: images (labels tagged present per image), or prevalence (the
       share of positives where the class is annotated).
    distillation: whether stage 1 holds missing entries to the received model (true or false).
    consistency: whether stage 2 holds untagged entries to the received model (true or false).
    norm: supervised mean over annotated entries or over all entries (active or all; stage 2: without consistency).
    lower: probability below which a label counts as surely absent (0 to 1).
    upper: probability above which a label counts as surely present (0 to 1).
    negative_share: share of the candidates nearer to absent that are tagged absent per round (0 to 1).
    positive_share: share of the candidates nearer to present that are tagged present per round (0 to 1).
    adaptive: whether both shares are multiplied by the clients' mean sureness of the class (true or false).
    min_tag: fewest labels tagged per class, side and round, where there are candidates (>= 0).
    min_present: the same for labels tagged present (>= 0; null: min_tag).
    coverage: share of the missing entries that are tagged by the end of the run, spread evenly over the rounds of stage
       2, in place of shares and least numbers per round (0 to 1; null: by these).
    balance: what tells how many are tagged absent and present: candidates (those nearer to each), or prevalence (the
       share of positives where the class is annotated, of all tags together; least numbers are then both sides').
    min_count: fewest labels behind a prototype that leaves a client (>= 1).
    step: how far the server's prototypes move to those of the round (0 to 1; 1 replaces them).
    """

    relabels: ClassVar[bool] = True
    needs_val: ClassVar[bool] = True

    trigger: Literal["warmup", "knee", "never"] = "warmup"
    warmup_rounds: Annotated[int, Ge(1)] | None = None
    window: Annotated[int, Ge(1)] = 4
    fall: Annotated[float, Interval(ge=0, le=1)] = 0.9
    views: Literal[1, 2] = 2
    logit_adjustment: bool = True
    prior: Literal["images", "prevalence"] = "prevalence"
    distillation: bool = True
    consistency: bool = True
    norm: Literal["active", "all"] = "active"
    lower: Annotated[float, Interval(ge=0, le=1)] = 0.3
    upper: Annotated[float, Interval(ge=0, le=1)] = 0.7
    negative_share: Annotated[float, Interval(ge=0, le=1)] = 0.005
    positive_share: Annotated[float, Interval(ge=0, le=1)] = 0.01
    adaptive: bool = True
    min_tag: Annotated[int, Ge(0)] = 1
    min_present: Annotated[int, Ge(0)] | None = None
    coverage: Annotated[float, Interval(ge=0, le=1)] | None = None
    balance: Literal["candidates", "prevalence"] = "candidates"
    min_count: Annotated[int, Ge(1)] = 2
    step: Annotated[float, Interval(gt=0, le=1)] = 1.0

    @property
    def idle(self) -> frozenset[str]:
        if self.trigger == "knee":
            return frozenset()
        return frozenset({"needs_val"} if self._wants_tags else {"needs_val", "report", "combine"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses other tasks than multi-label, and more warm-up rounds than there are; warns when no round is left."""
        faults = []
        if setup.task.kind != "multilabel":
            fix = "Use a dataset with several labels per image, or another strategy."
            faults.append(Fault("strategy", "a multilabel task for fedmlp", setup.task.kind, fix))
        if self.lower > self.upper:
            faults.append(Fault("strategy.lower", f"at most strategy.upper={self.upper}", str(self.lower)))
        warmup = self._warmup(setup.rounds) if self.trigger == "warmup" else 0
        if warmup > setup.rounds:
            fix = "Lower it, or raise rounds: labels are tagged only after the warm-up."
            faults.append(Fault("strategy.warmup_rounds", f"at most rounds={setup.rounds}", str(warmup), fix))
        elif warmup == setup.rounds:
            warnings.warn(f"fedmlp tags nothing: all {warmup} rounds are warm-up rounds", stacklevel=2)
        return faults

    def prepare(self, client: Client) -> None:
        given, rows, before = client.given, len(client.given), None
        if self._wants_tags and self._tags(client) and given.seen is not None:
            seen = annotated(given)
            features, before = client.collect(client.received)
            tag = client.state["tag"] = self._tag(client, features, seen)
            client.relabel(torch.where(tag == 1, 1.0, given.y), seen | (tag >= 0))
        # pi = positives / n, clamped to [1/(n+1), n/(n+1)]; p' = sigmoid(z + log(pi / (1 - pi)))
        # of a class that the client annotates in part, n is what it knows of it: unknown entries are no negatives
        known = annotated(client.train).sum(0).where(annotated(given).any(0), rows)
        prior = client.train.y.sum(0) / known
        if self.prior == "prevalence" and "prevalence" in client.inbox:
            prior = torch.where(annotated(given).any(0), prior, client.inbox["prevalence"].to(prior))
        prior = prior.clamp(1 / (rows + 1), rows / (rows + 1))
        shift = prior.logit() if self.logit_adjustment else torch.zeros_like(prior)
        client.keep(_Round(shift, before, self._ranked(client)))

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
        if (ranked := client.kept(_Round).ranked) is not None:
            return {"ranked": ranked}
        if not self._wants_tags or client.round < self._last(client):
            return {}
        features, logits = client.collect(client.model)
        client.kept(_Round).after = logits
        seen = annotated(client.given)
        rows, counts = prototypes(features, client.given.y, seen)
        _finite(client, "features", rows.T, 2)
        p = logits.sigmoid()
        sure = ((p < self.lower) | (p > self.upper)) & ~seen
        return {
            "prototypes": rows * (counts >= self.min_count)[:, None],
            "counts": counts,
            "missing": ~seen.all(0),
            # t_k[c] = share of the unannotated entries with p < L or p > U
            "learning_degree": sure.sum(0).double() / (~seen).sum(0).clamp(min=1),
        }

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        if judged := [r for r in reports if "ranked" in r.payload]:
            self._watch(server, judged)
        if sent := [r for r in reports if "prototypes" in r.payload]:
            server.state.update(updated(server.state, sent, least=self.min_count, step=self.step))
        if self.trigger == "knee" and server.round == server.rounds and "last" not in server.state:
            warnings.warn("fedmlp tags nothing: the AUC of annotated findings has not stopped rising", stacklevel=2)
        return {name: server.state[name] for name in (*KNOWN, "last") if name in server.state}

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """Per class: given positives, or precision (by side too), recall and coverage of tags; missing-class AUC."""
        seen, present = annotated(client.given), truth > 0
        tag = client.state.get("tag", torch.full_like(truth, -1, dtype=torch.int8))
        out: dict[str, float] = {}
        for c in range(truth.shape[1]):
            if seen[:, c].any():
                out[f"positives.{c}"] = float((present & seen)[:, c].sum())
            if not seen[:, c].all():
                out |= {f"{name}.{c}": value for name, value in worth(tag[:, c], present[:, c], seen[:, c]).items()}
        kept = client.kept(_Round)
        for when, logits in (("before", kept.before), ("after", kept.after)):
            areas = None if logits is None else auc(curve(logits, present, ~seen))
            if areas is not None and areas.isfinite().any():
                out[f"missing_auc.{when}"] = areas.nanmean().item()
        return out

    def _warmup(self, rounds: int) -> int:
        """How many rounds stage 1 has, where they are counted."""
        return min(max(2, rounds // 10), max(1, rounds - 1)) if self.warmup_rounds is None else self.warmup_rounds

    def _last(self, client: Client) -> float:
        """The last round of stage 1, as far as is known."""
        if self.trigger == "warmup":
            return self._warmup(client.rounds)
        return float(client.inbox["last"]) if "last" in client.inbox else math.inf

    def _tags(self, client: Client) -> bool:
        """Whether the round is one of stage 2."""
        return client.round > self._last(client)

    def _views(self, client: Client, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """Images and logits of the batch and, in stage 1 with two views, of another view of it."""
        if "fedmlp" not in batch.cache:
            views = batch.cache["fedmlp"] = [(batch.x, batch.logits)]
            if self.views == 2 and not self._tags(client):
                x = client.view(batch)
                views.append((x, client.model(x)))
        found: list[tuple[Tensor, Tensor]] = batch.cache["fedmlp"]
        return found

    def _ranked(self, client: Client) -> Tensor | None:
        """What the client tells of the findings that it annotates, for knee, until stage 1 has a last round."""
        return ranked_pairs(client) if self.trigger == "knee" and "last" not in client.inbox else None

    def _watch(self, server: Server, judged: Sequence[Report]) -> None:
        """Has stage 1 end with the next round if the AUC of annotated findings has stopped rising."""
        pairs = server.state.setdefault("ranked", {})
        pairs |= {str(r.client): r.payload["ranked"].cpu() for r in judged}
        point = torch.tensor([[server.round, mean_auc(pairs)]], dtype=torch.float64)
        server.state["curve"] = torch.cat([server.state["curve"].cpu(), point]) if "curve" in server.state else point
        if "last" not in server.state and past_knee(server.state["curve"], self.window, self.fall):
            server.state["last"] = torch.tensor(server.round + 1)

    def _tag(self, client: Client, features: Tensor, seen: Tensor) -> Tensor:
        """The client's tags (N, C) with this round's added. features: (N, D)."""
        tag: Tensor = client.state.get("tag", torch.full_like(seen, -1, dtype=torch.int8))
        if "prototypes" not in client.inbox:  # nobody answered in the last round of stage 1
            return tag
        difference = cosine_difference(features, client.inbox["prototypes"])
        _finite(client, "features and prototypes", difference, 1)
        valid, tau, last = client.inbox["valid"], client.inbox["tau"], self._last(client)
        open_ = ~seen & (tag < 0) & valid[0::2] & valid[1::2]
        nearer = torch.stack([difference >= 0, difference < 0]) & open_  # (2, N, C)
        count = self._quota.counts(
            tag,
            nearer.sum(1),
            (~seen).sum(0),
            rate=tau if self.adaptive else torch.ones_like(tau),
            prevalence=client.inbox["prevalence"],
            elapsed=(client.round - last) / (client.rounds - last),
        )
        absent, present = foremost(difference, nearer[0], count[0]), foremost(-difference, nearer[1], count[1])
        return tag.masked_fill(absent, 0).masked_fill(present, 1)

    @property
    def _wants_tags(self) -> bool:
        """Whether options let anything be tagged; if not, nobody needs prototypes."""
        amount = self.coverage if self.coverage is not None else max(*self._quota.shares, *self._quota.least)
        return self.trigger != "never" and amount > 0

    @property
    def _quota(self) -> Quota:
        least = (self.min_tag, self.min_tag if self.min_present is None else self.min_present)
        return Quota((self.negative_share, self.positive_share), least, self.coverage, self.balance)


@dataclass(slots=True)
class _Round:
    """What a client's round goes by.

    shift: of training logits, the log-odds of the prior (C,). before, after: logits (N, C) of the training images,
    by the received model in rounds that tag, and by the trained one in rounds that report. ranked: see `ranked_pairs`.
    """

    shift: Tensor
    before: Tensor | None = None
    ranked: Tensor | None = None
    after: Tensor | None = None


def _finite(client: Client, what: str, values: Tensor, columns: int) -> None:
    """Raises UserError, which names client, round and class; values: (N, columns of every class)."""
    if values.isfinite().all():
        return
    broken = int((~values.isfinite()).any(0).nonzero()[0]) // columns
    fix = "Training diverged: lower optimizer.lr, or set clip_norm."
    raise refuse(f"client {client.id}, round {client.round}, class {broken}", f"finite {what}", "nan or infinity", fix)
