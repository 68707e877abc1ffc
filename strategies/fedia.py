"""FedIA: more completely annotated clients count more, until what the others left out has been added to their masks.

Xiang, Wu, Yu, Yang, Cheng, Yan: FedIA: Federated Medical Image Segmentation with Heterogeneous Annotation
Completeness. MICCAI 2024, arXiv 2407.02280.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor

from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies import _completeness as arithmetic


@dataclass(frozen=True, kw_only=True)
class FedIA(Method):
    """Warm-up, then averages by completeness over Dice loss, while each client's masks are corrected once.

    Completeness a_k: lesions in the masks per lesion that the model predicts, estimated once as the warm-up ends.
    Shares: softmax of a_k / L_k, L_k being the client's mean Dice loss; FedAvg once all masks are corrected.
    A client is flagged when its learning curve says that it begins to fit omissions, and corrected one round later.
    warmup_rounds: rounds of FedAvg before (>= 1; null: a tenth of the run, at least 2, plus one, fewer than all; as
       many as rounds: FedAvg on the Dice loss, and with supervised=base it is FedAvg).
    supervised: dice (soft Dice per image), or base (neutral: the task's loss, or that of another method in the chain;
       together with a warm-up of all rounds it is FedAvg).
    empty: images without foreground: skip (they count nowhere), or keep (Dice 0).
    smooth: added above and below the fraction of Dice, so that kept images without foreground teach (>= 0; 0: off).
    estimator: image (all lesions of all images), mean_of_ratios (mean over images), or batch (mean over the batches
       trained on, a batch labelled as if it were a volume, with the model in training).
    connectivity: neighbours that make pixels one lesion (4 or 8; as in the annotation).
    min_size: pixels below which a lesion does not count, in masks and predictions (>= 1; 1: all count).
    clip: whether completeness is kept between lowest and 1 (true or false).
    lowest: completeness of a client without any lesion in its masks, and the least there is (0 to 1).
    temperature: divides a_k / L_k (> 0; large: all clients alike).
    use_counts: whether shares are multiplied by the numbers of training images (true or false).
    until: weighted while a client is not yet corrected, or not yet flagged (corrected or flagged).
    trigger: adele (the slope of a saturating curve has fallen), linear (below the line through the warm-up),
       fixed_round (flag_round), or never (no correction).
    hold: rounds after the warm-up before which none is flagged, the first being 1 (>= 1; null: a tenth of the run).
    delta: how far below the line, in IoU, for linear (>= 0).
    fall: how much of its slope the curve has lost, for adele (0 to 1).
    flag_round: round from which on all are flagged, for fixed_round (>= 1; null: as soon as hold allows).
    when: masks are corrected in prepare (before training, by the received model), or in_pass (each batch as it is
       trained on, by the model in training, in force from the next pass on).
    threshold: probability above which a background pixel is corrected (0 to 1; 1: none).
    adaptive: whether the threshold is at most completeness + 0.4 (true or false).
    exempt_above: completeness from which on a client's masks are left as they are (0 to 1; 0: all; null: none).
    """

    relabels: ClassVar[bool] = True

    warmup_rounds: Annotated[int, Ge(1)] | None = None
    supervised: Literal["dice", "base"] = "dice"
    empty: Literal["skip", "keep"] = "skip"
    smooth: Annotated[float, Ge(0)] = 0.0
    estimator: Literal["image", "mean_of_ratios", "batch"] = "image"
    connectivity: Literal[4, 8] = 4
    min_size: Annotated[int, Ge(1)] = 1
    clip: bool = True
    lowest: Annotated[float, Interval(ge=0, le=1)] = 0.05
    temperature: Annotated[float, Gt(0)] = 1.0
    use_counts: bool = False
    until: Literal["corrected", "flagged"] = "corrected"
    trigger: Literal["adele", "linear", "fixed_round", "never"] = "adele"
    hold: Annotated[int, Ge(1)] | None = None
    delta: Annotated[float, Ge(0)] = 0.03
    fall: Annotated[float, Interval(ge=0, le=1)] = 0.9
    flag_round: Annotated[int, Ge(1)] | None = None
    when: Literal["prepare", "in_pass"] = "prepare"
    threshold: Annotated[float, Interval(ge=0, le=1)] = 0.8
    adaptive: bool = False
    exempt_above: Annotated[float, Interval(ge=0, le=1)] | None = 0.9

    @property
    def idle(self) -> frozenset[str]:
        return frozenset({"loss" if self.supervised == "base" else "penalty"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses other tasks, masks that move in the pass, and a warm-up longer than the run; warns of one as long."""
        faults = []
        if setup.task.kind != "segmentation" or setup.task.classes != 2:
            got = f"{setup.task.kind} with {setup.task.classes} classes"
            fix = "Use a dataset with masks of one foreground class, or another strategy."
            faults.append(Fault("strategy", "segmentation of one foreground class for fedia", got, fix))
        if self.when == "in_pass" and setup.moves:
            expected, fix = "masks that stay in place for when=in_pass", "Use augment=none, or strategy.when=prepare."
            faults.append(Fault("augment", expected, "one that moves them", fix))
        if (warmup := self._warmup(setup.rounds)) > setup.rounds:
            fix = "Lower it, or raise rounds: masks are weighed and corrected only after the warm-up."
            faults.append(Fault("strategy.warmup_rounds", f"at most rounds={setup.rounds}", str(warmup), fix))
        elif warmup == setup.rounds:
            warnings.warn(f"fedia weighs and corrects nothing: all {warmup} rounds are warm-up", stacklevel=2)
        return faults

    def prepare(self, client: Client) -> None:
        kept = _Round()
        client.keep(kept)
        if self._estimates(client):
            kept.counts = []
            if self.estimator != "batch":
                kept.counts += [self._counts(p > 0.5, y, seen) for _, p, y, seen in _predicted(client)]
        if self._due(client):
            kept.search = arithmetic.OmissionSearch(torch.ones(len(client.given), dtype=torch.bool))
            if self.when == "prepare":
                for index, p, y, seen in _predicted(client):
                    kept.search.look(index, p, y, seen, self._sure(client))
                self._settle(client)
        _relabel(client)

    def loss(self, client: Client, batch: Batch) -> Tensor:
        kept, p, y = client.kept(_Round), arithmetic.foreground(batch.logits), batch.y.to(batch.logits.dtype)
        if self.estimator == "batch" and kept.counts is not None:
            kept.counts.append(self._counts(p > 0.5, batch.y, batch.seen))
        loss = self._dice_loss(client, p, y, batch.seen)
        if self.when == "in_pass" and kept.search is not None:
            kept.search.look(batch.index, p.detach(), batch.y, batch.seen, self._sure(client))
            if not kept.search.open.any():
                self._settle(client)
                _relabel(client)
        return loss

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        with torch.no_grad():
            self.loss(client, batch)  # for L_k, which is of the Dice loss whatever is trained on
        return 0.0

    def report(self, client: Client) -> Payload:
        kept = client.kept(_Round)
        self._settle(client)
        losses = kept.losses
        payload = {"loss": torch.stack(losses).mean().double().cpu() if losses else torch.ones((), dtype=torch.float64)}
        if kept.counts is not None:
            client.state["completeness"] = self._completeness(client, kept.counts)
        if "completeness" in client.state:
            payload["completeness"] = torch.tensor(client.state["completeness"], dtype=torch.float64)
        return payload

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        for report in reports:
            self._note(server, report)
        return self._shares(server, reports)

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        if server.round < self._warmup(server.rounds):
            return {}
        counted = self._shares(server, reports)
        share = torch.zeros(max(server.clients) + 1, dtype=torch.float64)
        share[[r.client for r in reports]] = counted / counted.sum()
        due = torch.zeros(len(share), dtype=torch.bool)
        for client, record in server.state.items():
            due[int(client)] = "flagged" in record and "corrected" not in record
        return {"due": due, "share": share, "weighted": torch.tensor(self._weighted(server))}

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """Completeness as estimated, share of the round before, and what masks and corrections are worth per pixel."""
        given, drawn = client.given.y > 0, client.train.y > 0
        out = {"corrected": float("pixels" in client.state), "pixels": float((drawn & ~given).sum())}
        if "completeness" in client.state:
            out["indicator"] = client.state["completeness"]
        if "share" in client.inbox:
            out["share"] = float(client.inbox["share"][client.id])
            out |= {"share.weighted": out["share"]} if client.inbox["weighted"] else {}
        return out | arithmetic.pixel_scores(given, drawn, truth > 0)

    def _warmup(self, rounds: int) -> int:
        """T + 1, the rounds of FedAvg that come first."""
        return min(max(2, rounds // 10) + 1, max(1, rounds - 1)) if self.warmup_rounds is None else self.warmup_rounds

    def _estimates(self, client: Client) -> bool:
        """Whether completeness is estimated: as the warm-up ends, or when the client is next asked."""
        warmup = self._warmup(client.rounds)
        return warmup < client.rounds and client.round >= warmup and "completeness" not in client.state

    def _due(self, client: Client) -> bool:
        return "due" in client.inbox and bool(client.inbox["due"][client.id]) and "pixels" not in client.state

    def _dice_loss(self, client: Client, p: Tensor, y: Tensor, seen: Tensor | None) -> Tensor:
        """1 - mean Dice over the images, (); noted for the mean over the batches. p, y: (B, H, W)."""
        loss, counts = arithmetic.mean_dice_loss(p, y, seen, smooth=self.smooth, skip_empty=self.empty == "skip")
        if counts:
            client.kept(_Round).losses.append(loss.detach())
        return loss

    def _counts(self, predicted: Tensor, y: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        """Lesions in the masks and predicted (B, H, W), per image, or of the whole batch (1,)."""
        whole = self.estimator == "batch"
        masks = [mask if seen is None else mask & seen for mask in (y > 0, predicted)]
        given, found = (arithmetic.components(m, self.connectivity, self.min_size, volume=whole) for m in masks)
        return (given.sum(0, keepdim=True), found.sum(0, keepdim=True)) if whole else (given, found)

    def _completeness(self, client: Client, counts: Sequence[tuple[Tensor, Tensor]]) -> float:
        """Lesions in the masks per lesion predicted, from the counts of the client's images or batches."""
        given, predicted = (torch.cat(parts) for parts in zip(*counts, strict=True))
        found = arithmetic.estimate(given, predicted, pooled=self.estimator == "image")
        if found is None:
            warnings.warn(f"fedia: no lesion predicted at client {client.id}: taken as complete", stacklevel=2)
            return 1.0
        return min(max(found, self.lowest), 1.0) if self.clip else found

    def _sure(self, client: Client) -> float:
        """Probability above which a background pixel of the client's is corrected."""
        return min(client.state["completeness"] + 0.4, self.threshold) if self.adaptive else self.threshold

    def _settle(self, client: Client) -> None:
        """Ends the round's search, if there is one: the client remembers, for good, which pixels were found."""
        kept = client.kept(_Round)
        if kept.search is not None:
            client.state["pixels"] = kept.search.pixels(client.given.y.numel())
            kept.search = None

    def _note(self, server: Server, report: Report) -> None:
        """Writes down the client's IoU and completeness, and whether it is flagged or has been corrected."""
        t, first = server.round, self._warmup(server.rounds)
        record: dict[str, Any] = server.state.setdefault(str(report.client), {})
        loss = float(report.payload["loss"])
        point = torch.tensor([[t, (1 - loss) / (1 + loss)]], dtype=torch.float64)
        record["curve"] = torch.cat([record["curve"].cpu(), point]) if "curve" in record else point
        if "completeness" in report.payload:
            record["completeness"] = float(report.payload["completeness"])
        if "flagged" in record:
            record.setdefault("corrected", t)
        hold = max(1, server.rounds // 10) if self.hold is None else self.hold
        watched = t >= first + hold and "flagged" not in record and not self._exempt(record)
        if watched and self._fires(record["curve"], first):
            record["flagged"] = t

    def _fires(self, curve: Tensor, first: int) -> bool:
        """Whether a client's IoU by round (n, 2) says that it begins to fit omissions; first: warm-up rounds."""
        if self.trigger == "linear":
            short = arithmetic.shortfall(curve, first)
            return short is not None and short > self.delta
        if self.trigger == "adele":
            left = arithmetic.remaining_slope(curve)
            # g'(t+1) < (1 - r) g'(1)
            return left is not None and left < 1 - self.fall
        return self.trigger == "fixed_round" and float(curve[-1, 0]) >= (self.flag_round or 0)

    def _exempt(self, record: Mapping[str, Any]) -> bool:
        return self.exempt_above is not None and record.get("completeness", 0.0) >= self.exempt_above

    def _open(self, record: Mapping[str, Any], round: int) -> bool:
        """Whether the client keeps the round weighted."""
        if self._exempt(record):
            return False
        return "flagged" not in record if self.until == "flagged" else record.get("corrected", round) >= round

    def _weighted(self, server: Server) -> bool:
        past = server.round > self._warmup(server.rounds)
        return past and any(self._open(record, server.round) for record in server.state.values())

    def _shares(self, server: Server, reports: Sequence[Report]) -> Tensor:
        """How much each report counts, (K,), once `_note` has seen them all."""
        counts = super().weights(server, reports)
        if not self._weighted(server):
            return counts
        completed = torch.tensor([server.state[str(r.client)]["completeness"] for r in reports], dtype=torch.float64)
        losses = torch.stack([r.payload["loss"] for r in reports]).double().cpu()
        return arithmetic.shares(completed, losses, self.temperature) * (counts if self.use_counts else 1)


@dataclass(slots=True)
class _Round:
    """What a client's round collects.

    losses: Dice loss of each batch, (). counts: lesions in the masks and predicted, by part (n,); None in rounds that
    estimate nothing. search: for omissions; None in rounds without, and once it has ended.
    """

    losses: list[Tensor] = field(default_factory=list)
    counts: list[tuple[Tensor, Tensor]] | None = None
    search: arithmetic.OmissionSearch | None = None


def _predicted(client: Client) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Rows, foreground probability by the received model, given masks and what is annotated, part by part."""
    given = client.given
    seen = None if given.seen is None else given.seen.expand_as(given.y)
    for rows, _, logits in client.sweep(client.received):
        if not logits.isfinite().all():
            where = f"client {client.id}, round {client.round}, stage prepare"
            raise refuse(where, "finite probabilities", "nan or infinity", "Lower optimizer.lr, or set clip_norm.")
        index = torch.arange(len(given))[rows]
        yield index, arithmetic.foreground(logits), given.y[rows], None if seen is None else seen[rows]


def _relabel(client: Client) -> None:
    """Puts the corrected masks in force, where any pixel was corrected."""
    pixels, given = client.state.get("pixels"), client.given
    if pixels is not None and len(pixels):
        y = given.y.flatten().index_fill(0, pixels.long().to(given.y.device), 1)
        client.relabel(y.view_as(given.y), given.seen)
