"""FedIA: more completely annotated clients count more, until what the others left out has been added to their masks.

Xiang, Wu, Yu, Yang, Cheng, Yan: FedIA: Federated Medical Image Segmentation with Heterogeneous Annotation
Completeness. MICCAI 2024, arXiv 2407.02280.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.strategies import _completeness as arithmetic
from fedmed.strategies._completeness import Estimator
from fedmed.strategies._fedia_round import ClientRound, predictions, relabel
from fedmed.strategies._learning_curves import Trigger, past_knee
from fedmed.strategies._omissions import OmissionSearch


@dataclass(frozen=True, kw_only=True)
class FedIA(Method):
    """Warm-up, then averages by completeness over Dice loss, while each client's masks are corrected once.

    Completeness a_k: lesions in the masks per lesion that the model predicts, estimated once as the warm-up ends.
    Shares: softmax of a_k / L_k, L_k being the client's mean Dice loss; FedAvg once all masks are corrected, and where
    nobody is near complete. A client is flagged when its learning curve says that it begins to fit omissions, and
    corrected one round later. The knee (ours): its rise over `window` rounds is less than 1 - fall of the largest.
    warmup_rounds: rounds of FedAvg before (>= 1; null: until more than half of the clients are past their knee; as
       many as rounds: FedAvg on the Dice loss, and with supervised=base it is FedAvg).
    supervised: dice (soft Dice per image), or base (neutral: the task's loss, or that of another method in the chain;
       together with a warm-up of all rounds it is FedAvg).
    empty: images without foreground: skip (they count nowhere), or keep (Dice 0).
    smooth: added above and below the fraction of Dice, so that kept images without foreground teach (>= 0; 0: off).
    estimator: image (all lesions of all images), mean_of_ratios (mean over images), or batch (mean over the batches
       trained on, a batch labelled as if it were a volume, with the model in training).
    connectivity: neighbours that make pixels one lesion (4 or 8; as in the annotation, in volumes 6 or 26).
    min_size: pixels below which a lesion does not count, in masks and predictions (>= 1; 1: all count).
    merge: whether, where masks have several classes, their lesions count as of one kind (false: class by class).
    clip: whether completeness is kept between lowest and 1 (true or false).
    lowest: completeness of a client without any lesion in its masks, and the least there is (0 to 1).
    temperature: divides a_k / L_k (> 0; large: all clients alike).
    use_counts: whether shares are multiplied by the numbers of training images (true or false).
    near: completeness that a client must have for rounds to be weighted at all (0 to 1; 0: always weighted).
    until: weighted while a client is not yet corrected, or not yet flagged (corrected or flagged).
    trigger: knee, adele (the slope of a saturating curve has fallen), linear (below the line through the warm-up),
       fixed_round (flag_round), or never (no correction).
    hold: rounds after the warm-up before which none is flagged, the first being 1 (>= 0; null: 0 for knee, or else a
       tenth of the run).
    delta: how far below the line, in IoU, for linear (>= 0).
    window: rounds, of those that a client takes part in, over which a rise is taken, for the knee (>= 1).
    fall: how much of its rise or slope the curve has lost, for knee and adele (0 to 1).
    flag_round: round from which on all are flagged, for fixed_round (>= 1; null: as soon as hold allows).
    when: masks are corrected in prepare (before training, by the received model), or in_pass (each batch as it is
       trained on, by the model in training, in force from the next pass on).
    grow: what is added: pixels (each by itself), or objects (predicted ones whole, if they touch no annotated one).
    again: rounds after its correction in which a client starts from its own masks and corrects them anew, once (>= 1;
       null: never).
    threshold: probability above which a background pixel is corrected, or that an object must reach (0 to 1; 1: none).
       Nets trained on the Dice loss are nearly always sure, so that it hardly matters.
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
    merge: bool = False
    clip: bool = True
    lowest: Annotated[float, Interval(ge=0, le=1)] = 0.05
    temperature: Annotated[float, Gt(0)] = 1.0
    use_counts: bool = False
    near: Annotated[float, Interval(ge=0, le=1)] = 0.8
    until: Literal["corrected", "flagged"] = "corrected"
    trigger: Literal["knee", "adele", "linear", "fixed_round", "never"] = "knee"
    hold: Annotated[int, Ge(0)] | None = None
    delta: Annotated[float, Ge(0)] = 0.03
    window: Annotated[int, Ge(1)] = 4
    fall: Annotated[float, Interval(ge=0, le=1)] = 0.9
    flag_round: Annotated[int, Ge(1)] | None = None
    when: Literal["prepare", "in_pass"] = "prepare"
    grow: Literal["pixels", "objects"] = "objects"
    again: Annotated[int, Ge(1)] | None = None
    threshold: Annotated[float, Interval(ge=0, le=1)] = 0.8
    adaptive: bool = False
    exempt_above: Annotated[float, Interval(ge=0, le=1)] | None = 0.9

    @property
    def idle(self) -> frozenset[str]:
        return frozenset({"loss" if self.supervised == "base" else "penalty"})

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses other tasks, masks that move in the pass, and a warm-up longer than the run; warns of one as long."""
        faults = []
        if setup.task.kind != "segmentation":
            fix = "Use a dataset with masks, or another strategy."
            faults.append(Fault("strategy", "segmentation for fedia", setup.task.kind, fix))
        if self.when == "in_pass" and setup.moves:
            expected, fix = "masks that stay in place for when=in_pass", "Use augment=none, or strategy.when=prepare."
            faults.append(Fault("augment", expected, "one that moves them", fix))
        if (warmup := self.warmup_rounds or 0) > setup.rounds:
            fix = "Lower it, or raise rounds: masks are weighed and corrected only after the warm-up."
            faults.append(Fault("strategy.warmup_rounds", f"at most rounds={setup.rounds}", str(warmup), fix))
        elif warmup == setup.rounds:
            warnings.warn(f"fedia weighs and corrects nothing: all {warmup} rounds are warm-up", stacklevel=2)
        return faults

    def prepare(self, client: Client) -> None:
        kept = ClientRound()
        client.keep(kept)
        if self._estimates(client):
            if self.estimator == "batch":
                kept.counts = []
            else:
                counts = [self._counts(client, p, y, seen) for _, p, y, seen in predictions(client)]
                client.state["completeness"] = self._estimator(client).completeness(counts, client.id)
        if self._due(client):
            objects = self.connectivity if self.grow == "objects" else None
            kept.search = OmissionSearch(torch.ones(len(client.given)).bool(), objects, client.task.classes - 1)
            client.state["asked"] = int(client.inbox["due"][client.id])
            client.state.pop("pixels", None)
            if self.when == "prepare":
                for index, p, y, seen in predictions(client):
                    kept.search.look(index, p, y, seen, self._sure(client))
                kept.settle(client)
        relabel(client)

    def loss(self, client: Client, batch: Batch) -> Tensor:
        kept, p = client.kept(ClientRound), arithmetic.class_probabilities(batch.logits)
        if kept.counts is not None:
            kept.counts.append(self._counts(client, p, batch.y, batch.seen))
        loss = self._dice_loss(client, p, arithmetic.by_class(batch.y, p.shape[1]).to(p.dtype), batch.seen)
        if self.when == "in_pass" and kept.search is not None:
            kept.search.look(batch.index, p.detach(), batch.y, batch.seen, self._sure(client))
            if not kept.search.open.any():
                kept.settle(client)
                relabel(client)
        return loss

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        with torch.no_grad():
            self.loss(client, batch)  # for L_k, which is of the Dice loss whatever is trained on
        return 0.0

    def report(self, client: Client) -> Payload:
        kept = client.kept(ClientRound)
        kept.settle(client)
        losses = kept.losses
        payload = {"loss": torch.stack(losses).mean().double().cpu() if losses else torch.ones((), dtype=torch.float64)}
        if kept.counts is not None:
            client.state["completeness"] = self._estimator(client).completeness(kept.counts, client.id)
        if "completeness" in client.state:
            payload["completeness"] = torch.tensor(client.state["completeness"], dtype=torch.float64)
        return payload

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        for report in reports:
            self._note(server, report)
        if (ended := self._ended(server)) is not None:
            self._flag(server, reports, ended)
        return self._shares(server, reports)

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        ended = self._ended(server)
        self._warn(server, ended)
        if ended is None:
            return {}
        counted = self._shares(server, reports)
        share = torch.zeros(max(server.clients) + 1, dtype=torch.float64)
        share[[r.client for r in reports]] = counted / counted.sum()
        due = torch.zeros(len(share), dtype=torch.int64)
        for client, record in server.state.items():
            due[int(client)] = record["asked"] if record.get("asked", 0) > record.get("answered", 0) else 0
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

    def _estimates(self, client: Client) -> bool:
        """Whether completeness is estimated: as the warm-up ends, or when the client is next asked."""
        if "completeness" in client.state:
            return False
        if self.warmup_rounds is None:
            return "due" in client.inbox
        return client.round >= self.warmup_rounds

    def _due(self, client: Client) -> bool:
        asked = int(client.inbox["due"][client.id]) if "due" in client.inbox else 0
        return asked > client.state.get("asked", 0) and not self._exempt(client.state)

    def _dice_loss(self, client: Client, p: Tensor, y: Tensor, seen: Tensor | None) -> Tensor:
        """1 - mean Dice over images and classes, (); noted for the mean over the batches. p, y: (B, K, H, W)."""
        loss, counts = arithmetic.mean_dice_loss(p, y, seen, smooth=self.smooth, skip_empty=self.empty == "skip")
        if counts:
            client.kept(ClientRound).losses.append(loss.detach())
        return loss

    def _estimator(self, client: Client) -> Estimator:
        classes = 1 if self.merge else client.task.classes - 1
        return Estimator(self.estimator, self.connectivity, self.min_size, self.lowest if self.clip else None, classes)

    def _counts(self, client: Client, p: Tensor, y: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
        return self._estimator(client).counts(arithmetic.likeliest(p)[1], y, seen)

    def _sure(self, client: Client) -> float:
        """Probability above which a background pixel of the client's is corrected."""
        return min(client.state.get("completeness", 1.0) + 0.4, self.threshold) if self.adaptive else self.threshold

    def _note(self, server: Server, report: Report) -> None:
        """Writes down the client's IoU and completeness, whether it is past its knee, and what it has corrected."""
        t, record = server.round, server.state.setdefault(str(report.client), {})
        loss = float(report.payload["loss"])
        point = torch.tensor([[t, (1 - loss) / (1 + loss)]], dtype=torch.float64)
        record["curve"] = torch.cat([record["curve"].cpu(), point]) if "curve" in record else point
        if "completeness" in report.payload:
            record["completeness"] = float(report.payload["completeness"])
        if "knee" not in record and past_knee(record["curve"], self.window, self.fall):
            record["knee"] = t
        if record.get("asked", 0) > record.get("answered", 0):
            record["answered"] = record["asked"]
            record.setdefault("corrected", t)

    def _ended(self, server: Server) -> int | None:
        """The last round of the warm-up; None while it goes on."""
        if self.warmup_rounds is not None:
            return self.warmup_rounds if server.round >= self.warmup_rounds else None
        knees = sorted(record["knee"] for record in server.state.values() if "knee" in record)
        half = len(server.clients) // 2
        return knees[half] if len(knees) > half else None

    def _flag(self, server: Server, reports: Sequence[Report], ended: int) -> None:
        """Asks those clients for corrections whose curves say so, for the second time where `again` is over."""
        trigger = Trigger(self.trigger, self.fall, self.delta, self.flag_round or 0)
        usual = 0 if self.trigger == "knee" else max(1, server.rounds // 10)
        hold = usual if self.hold is None else self.hold
        for record in (server.state[str(report.client)] for report in reports):
            if server.round < ended + hold or self._exempt(record):
                continue
            if "flagged" not in record and trigger.fires(record["curve"], ended, knee="knee" in record):
                record["flagged"], record["asked"] = server.round, 1
            elif self.again is not None and record.get("corrected", server.round) + self.again <= server.round:
                record["asked"] = 2

    def _exempt(self, record: Mapping[str, Any]) -> bool:
        return self.exempt_above is not None and record.get("completeness", 0.0) >= self.exempt_above

    def _open(self, record: Mapping[str, Any], round: int) -> bool:
        """Whether the client keeps the round weighted."""
        if self._exempt(record):
            return False
        return "flagged" not in record if self.until == "flagged" else record.get("corrected", round) >= round

    def _weighted(self, server: Server) -> bool:
        records, ended = server.state.values(), self._ended(server)
        if ended is None or server.round <= ended:
            return False
        near = any(record.get("completeness", 0.0) >= self.near for record in records)
        return near and any(self._open(record, server.round) for record in records)

    def _warn(self, server: Server, ended: int | None) -> None:
        """Says so where completeness is estimated too early, and, in the last round, where no mask was corrected."""
        if (self.warmup_rounds or 0) >= server.rounds:
            return
        records = server.state.values()
        if server.round == ended and self.warmup_rounds is not None and not any("knee" in r for r in records):
            fix = "leave strategy.warmup_rounds=null to wait until they level off"
            warnings.warn(f"fedia: completeness is estimated while learning curves rise: {fix}", stacklevel=2)
        watched = [record for record in records if not self._exempt(record)] if self.trigger != "never" else []
        if server.round == server.rounds and watched and not any("flagged" in record for record in watched):
            fix = "raise rounds, or set strategy.warmup_rounds and strategy.trigger=fixed_round"
            warnings.warn(f"fedia: no client was flagged, so that no mask was corrected: {fix}", stacklevel=2)

    def _shares(self, server: Server, reports: Sequence[Report]) -> Tensor:
        """How much each report counts, (K,), once `_note` has seen them all."""
        counts = super().weights(server, reports)
        if not self._weighted(server):
            return counts
        completed = torch.tensor([server.state[str(r.client)]["completeness"] for r in reports], dtype=torch.float64)
        losses = torch.stack([r.payload["loss"] for r in reports]).double().cpu()
        return arithmetic.shares(completed, losses, self.temperature) * (counts if self.use_counts else 1)
