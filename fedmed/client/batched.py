"""Several clients' rounds in lock step: their weights are stacked, and one batched step trains them all.

For small nets on a card that one client leaves idle. Only where no member of the chain looks into local training, and
the net keeps no statistics and draws no random numbers; sums run in another order, so bits differ from one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from fedmed import rng
from fedmed.client.images import chosen
from fedmed.client.request import LOCAL, ClientRequest, ClientResult
from fedmed.client.trainer import Trainer
from fedmed.client.validation import check_weights, mean_loss
from fedmed.data.batches import batches, images_seen
from fedmed.data.examples import Examples
from fedmed.method import Payload
from fedmed.optimizers import LocalOptimizer, learning_rate, make_optimizer

LOOKS_IN = ("prepare", "transform", "loss", "penalty", "correct", "report", "audit")
"""Hooks that see a client while it trains, or right after."""


def obstacle(trainer: Trainer) -> str | None:
    """Why the trainer's clients cannot train in lock step; None where they can."""
    if hooks := [hook for hook in LOOKS_IN if trainer.chain.has(hook)]:
        return f"{trainer.chain} looks into local training ({', '.join(hooks)})"
    if list(trainer.net.buffers()):
        return "the model keeps running statistics"
    if trainer.net_draws():
        return "the model draws random numbers in training (dropout)"
    if trainer.training.optimizer.state == "persist":
        return "optimizer.state=persist"
    if trainer.training.precision == "fp16":
        return "precision=fp16 scales each client's loss by itself"
    return None


@dataclass(slots=True)
class _Lane:
    """One client of a cohort: its images, the order of its batches, its views of them, and how it fares."""

    request: ClientRequest
    train: Examples
    index: Iterator[Tensor]
    views: torch.Generator
    losses: list[Tensor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    weights: dict[str, Tensor] | None = None


class BatchedTrainer:
    """Trains several clients at once on the net of a trainer without an `obstacle`."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._losses = torch.vmap(self._loss)

    def train(self, requests: Sequence[ClientRequest]) -> list[Callable[[], ClientResult]]:
        """Local training of every request's client; each call gives the result of a request as `Trainer.train` does."""
        trainer, settings = self._trainer, self._trainer.training
        lanes = [self._lane(request) for request in requests]
        received = [trainer.received(request) for request in requests]
        stacked = {n: nn.Parameter(torch.stack([weights[n] for weights in received])) for n in received[0]}
        # One optimizer for all: its steps are elementwise, so no client's moments touch another's weights.
        optimizer = make_optimizer(settings.optimizer, stacked.values())
        optimizer.lr = learning_rate(settings.optimizer, requests[0].round, requests[0].rounds)
        trainer.net.train()
        with torch.enable_grad():
            while (drawn := self._draw(lanes, stacked)) is not None:
                self._step(lanes, drawn, stacked, optimizer)
        # Not yet computed: each result is lent from the trainer's one net, which holds one client's weights at a time.
        return [partial(self._outcome, lane) for lane in lanes]

    def _lane(self, request: ClientRequest) -> _Lane:
        settings, seed = self._trainer.training, self._trainer.seed
        train = self._trainer.share(request.client).train
        order = rng.generator(seed, "batches", request.round, request.client)
        index = batches(len(train), settings.batch_size, order, epochs=settings.epochs, steps=settings.steps)
        return _Lane(request, train, index, rng.generator(seed, "augment", request.round, request.client))

    def _draw(self, lanes: Sequence[_Lane], stacked: Payload) -> list[Tensor | None] | None:
        """Every client's next rows; one that has none left leaves with its weights. None when all have left."""
        drawn = [None if lane.weights is not None else next(lane.index, None) for lane in lanes]
        for k, (lane, index) in enumerate(zip(lanes, drawn, strict=True)):
            if index is None and lane.weights is None:
                # Copied now: momentum and weight decay move the client's row in later steps even without a loss.
                lane.weights = {name: tensor[k].detach().clone() for name, tensor in stacked.items()}
        return drawn if any(index is not None for index in drawn) else None

    def _step(
        self,
        lanes: Sequence[_Lane],
        drawn: Sequence[Tensor | None],
        stacked: Payload,
        optimizer: LocalOptimizer,
    ) -> None:
        """One optimizer step of all clients; those that have left train on nothing."""
        losses = self._losses(stacked, *self._padded(lanes, drawn))
        optimizer.zero_grad()
        # A client's weights are in its own loss only, so the sum's gradient holds each client's own, unmixed.
        losses.sum().backward()
        self._clip(stacked)
        optimizer.step()
        for lane, index, loss in zip(lanes, drawn, losses.detach(), strict=True):
            if index is not None:
                lane.losses.append(loss)  # no number yet: to read one here would have the processor wait for a GPU
                lane.sizes.append(len(index))

    def _loss(self, weights: Mapping[str, Tensor], x: Tensor, y: Tensor, seen: Tensor) -> Tensor:
        logits = functional_call(self._trainer.net, dict(weights), (x,))
        return self._trainer.task.loss(logits, y, seen)

    def _padded(self, lanes: Sequence[_Lane], drawn: Sequence[Tensor | None]) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels and what counts of these, stacked (K, B, ...); short batches end in rows that do not count."""
        parts = [None if index is None else self._inputs(lane, index) for lane, index in zip(lanes, drawn, strict=True)]
        some = next(part for part in parts if part is not None)
        # Ones that have left get rows of which nothing counts, as vmap takes the same shape from every client.
        nothing = Examples(*(torch.zeros_like(tensor[:1]) for tensor in _tensors(some)))
        rows = max(len(part) for part in parts if part is not None)
        x, y, seen = zip(*(_pad(nothing if part is None else part, rows) for part in parts), strict=True)
        return torch.stack(x), torch.stack(y), torch.stack(seen)

    def _inputs(self, lane: _Lane, index: Tensor) -> Examples:
        part = self._trainer.passes.inputs(chosen(lane.train, index), lane.views)
        return Examples(part.x, part.y, _seen(part))

    def _clip(self, stacked: Payload) -> None:
        """Shortens every client's gradient to the run's norm."""
        longest = self._trainer.training.clip_norm
        if longest is None:
            return
        grads = [tensor.grad for tensor in stacked.values() if tensor.grad is not None]
        norms = torch.stack([grad.flatten(1).square().sum(1) for grad in grads]).sum(0).sqrt()
        factor = (longest / (norms + 1e-6)).clamp(max=1)  # 1e-6 as in torch's clip_grad_norm_, against 0 / 0
        for grad in grads:
            grad.mul_(factor.view(-1, *[1] * (grad.dim() - 1)))

    def _outcome(self, lane: _Lane) -> ClientResult:
        trainer, settings, weights = self._trainer, self._trainer.training, lane.weights or {}
        where = f"client {lane.request.client}, round {lane.request.round}"
        mean = mean_loss(lane.losses, lane.sizes, where)
        check_weights(weights, trainer.received(lane.request), where)
        trainer.load(weights)
        test, rows = trainer.share(lane.request.client).test, len(lane.train)
        state = {name: dict(memory) for name, memory in lane.request.state.items() if not name.startswith("@")}
        if trainer.local:
            state[LOCAL] = {name: weights[name] for name in sorted(trainer.local)}
        return ClientResult(
            examples=rows,
            images=images_seen(rows, settings.batch_size, epochs=settings.epochs, steps=settings.steps),
            loss=mean,
            weights=trainer.shared,
            payloads={},
            state=state,
            adapted=trainer.score(test, "adapted") if lane.request.adapted and len(test) else None,
        )


def _seen(part: Examples) -> Tensor:
    """Which entries count, shaped as the labels."""
    if part.seen is not None:
        return part.seen.expand_as(part.y)
    return torch.ones_like(part.y, dtype=torch.bool)


def _pad(part: Examples, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """The part's tensors, up to so many rows with copies of its first row that do not count."""
    x, y, seen = _tensors(part)
    more = [0] * (rows - len(part))
    return torch.cat([x, x[more]]), torch.cat([y, y[more]]), torch.cat([seen, torch.zeros_like(seen[more])])


def _tensors(part: Examples) -> tuple[Tensor, Tensor, Tensor]:
    assert part.seen is not None
    return part.x, part.y, part.seen
