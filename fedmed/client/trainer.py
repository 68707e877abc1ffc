"""One client's round: from a job (what arrives) to an outcome (what leaves), on one resident net and optimizer."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fedmed import rng
from fedmed.client.jobs import LOCAL, OPTIMIZER, RESIDUAL, Job, Outcome, Share, Training
from fedmed.data.batches import batches, passed, spans
from fedmed.data.examples import Examples
from fedmed.errors import UserError, refuse
from fedmed.method import Batch, Chain, Payload, Scope, Session, State, Swept
from fedmed.metrics import Scores, Tally, tally
from fedmed.models.net import Net, scope
from fedmed.optimizers import Memory, learning_rate, make_optimizer, recall, remember
from fedmed.tasks import Task


class Trainer:
    """Runs clients' rounds one after another on one resident net.

    net: with its initial weights; the local part of a client that never trained starts from these.
    shared: the resident net's shared tensors, by state-dict name; always the same dict.
    normalise: stored pixels (B, C, H, W) -> float batch.
    """

    def __init__(
        self,
        *,
        net: Net,
        chain: Chain,
        task: Task,
        training: Training,
        share: Callable[[int], Share],
        normalise: Callable[[Tensor], Tensor],
        seed: int,
        channels_last: bool = False,
    ) -> None:
        self.net, self.chain, self.task, self.training = net, chain, task, training
        self.share, self._normalise, self.seed, self._channels_last = share, normalise, seed, channels_last
        self._weights = dict(net.state_dict())
        self.local = scope(net, chain.local)
        self.shared = {name: tensor for name, tensor in self._weights.items() if name not in self.local}
        self._initial = {name: self._weights[name].clone() for name in sorted(self.local)}
        self._optimizer = make_optimizer(training.optimizer, net.parameters())
        self._own: Payload = self._initial
        self._spares: list[Net] = []
        self._spares_used = 0
        self._stage = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """A trainer elsewhere with a net of its own, which begins as this one did."""
        net = copy.deepcopy(self.net)
        _copy(self._initial, net.state_dict())
        arguments = {
            "net": net,
            "chain": self.chain,
            "task": self.task,
            "training": self.training,
            "share": self.share,
            "normalise": self._normalise,
            "seed": self.seed,
            "channels_last": self._channels_last,
        }
        return _rebuilt, (arguments,)

    def replica(self) -> Trainer:
        """Another trainer of the same clients, with a net of its own that begins as this one's did."""
        rebuild, arguments = self.__reduce__()
        replica: Trainer = rebuild(*arguments)
        return replica

    def net_draws(self) -> bool:
        """Whether the net draws random numbers in training (dropout, drop path): from torch's one generator."""
        net, one = copy.deepcopy(self.net).train(), self.share(0).train.x[:1]
        before = torch.get_rng_state()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            net(self._layout(self._normalise(torch.cat([one, one]))))
            return not torch.equal(before, torch.get_rng_state())

    def train(self, job: Job) -> Outcome:
        """Local training from the job's weights; errors name the client, the round and the stage."""
        with self._named(job):
            session = self._receive(job)
            loss = self._train(session, job.state.get(OPTIMIZER, {}))
            self._stage = "report"
            payloads = self.chain.report(session)
            test, truth = self.share(job.client).test, self.share(job.client).truth
            return Outcome(
                examples=len(session.train),
                images=passed(
                    len(session.train), self.training.batch_size, epochs=self.training.epochs, steps=self.training.steps
                ),
                loss=loss,
                weights=self.shared,
                payloads=payloads,
                state=self._memory(session),
                adapted=self.score(test, "adapted", session) if job.adapted and len(test) else None,
                audit={} if truth is None else self.chain.audit(session, truth),
            )

    def images(self, client: int) -> int:
        """How many training images a client has."""
        return len(self.share(client).train)

    def compress(self, job: Job, state: dict[str, dict[str, State]]) -> Payload:
        """What goes up of the weights after training; `state` gets what is kept of the rest."""
        compression, names = self.training.compression, {name for name, _ in self.net.named_parameters()}
        draws = rng.generator(self.seed, "compression", job.round, job.client)
        sent = compression.compress(self.shared, job.shared, names, job.state.get(RESIDUAL, {}), draws)
        if sent.residual:
            state[RESIDUAL] = sent.residual
        return sent.tensors

    def evaluate(self, job: Job) -> dict[str, Scores]:
        """Scores of the received model, with the client's own local part, on its `val`, `audit` and `test` images."""
        with self._named(job):
            session, share = self._receive(job), self.share(job.client)
            held = {"val": share.val, "audit": share.audit, "test": share.test}
            return {n: self.score(e, "client", session) for n, e in held.items() if e is not None and len(e)}

    def score(self, examples: Examples, scope: Scope, session: Session | None = None) -> Scores:
        """Scores of the resident net as it stands."""
        return self.assess(examples, scope, session).scores()

    def assess(
        self, examples: Examples, scope: Scope, session: Session | None = None, *, thorough: bool = False
    ) -> Tally:
        """The tally of the resident net's predictions; thorough: with slow surface metrics."""
        self._stage = f"evaluate ({scope})"
        self.net.eval()
        result = tally(self.task, extra=self.training.metrics, thorough=thorough)
        with torch.no_grad():
            for rows in spans(examples):
                part = examples[rows]
                result.add(
                    self.chain.predict(self.net, self._layout(self._normalise(part.x)), scope, session),
                    part.y,
                    part.seen,
                )
        return result

    def _memory(self, session: Session) -> dict[str, dict[str, State]]:
        """What the client keeps until its next round."""
        state = {name: memory for name, memory in session.state.items() if memory}
        if self.local:
            state[LOCAL] = {name: self._weights[name].clone() for name in self._initial}
        if self.training.optimizer.state == "persist":
            state[OPTIMIZER] = remember(self._optimizer)
        return state

    def load(self, shared: Payload) -> None:
        """Puts shared weights into the resident net."""
        _copy(shared, self._weights)

    def received(self, job: Job) -> dict[str, Tensor]:
        """All weights of the net as the job's round begins: the shared ones and the client's own."""
        return {**job.state.get(LOCAL, self._initial), **job.shared}

    def _receive(self, job: Job) -> Session:
        """The resident net with the job's weights and the client's own; the session that its methods see."""
        self._stage, self._spares_used = "receive", 0
        self._own = job.state.get(LOCAL, self._initial)
        self.load(self.received(job))
        return Session(
            id=job.client,
            round=job.round,
            rounds=job.rounds,
            seed=self.seed,
            task=self.task,
            model=self.net,
            anchor=job.shared,
            train=self.share(job.client).train,
            given=self.share(job.client).train,
            inbox=job.inbox,
            state={name: _unshared(memory) for name, memory in job.state.items() if not name.startswith("@")},
            spare=self._spare,
            sweep=lambda net: self._sweep(net, job.client),
            augment=lambda index, generator: self._augment(job.client, index, generator),
            lr=learning_rate(self.training.optimizer, job.round, job.rounds),
        )

    def _train(self, session: Session, memory: Memory) -> float:
        """Local training; the mean loss over the images seen."""
        chosen, rows = self.training, len(session.train)
        recall(self._optimizer, memory)
        self._optimizer.param_groups[0]["lr"] = session.lr
        rng.seed_dropout(self.seed, session.round, session.id)
        order = rng.generator(self.seed, "batches", session.round, session.id)
        views = rng.generator(self.seed, "augment", session.round, session.id) if chosen.augment else order
        if not self.net.training:
            self.net.train()
        self._stage = "prepare"
        self.chain.prepare(session)
        self._stage = "training"
        losses, sizes = [], []
        for index in batches(rows, chosen.batch_size, order, epochs=chosen.epochs, steps=chosen.steps):
            losses.append(self._step(session, index, views))
            sizes.append(len(index))
        return self._mean(losses, sizes, session)

    def _step(self, session: Session, index: Tensor, views: torch.Generator) -> Tensor:
        """One optimizer step on the rows `index`; the detached loss."""
        batch = self._batch(session.train, index, views)
        loss = self.chain.loss(session, batch)
        self._optimizer.zero_grad()
        loss.backward()
        self.chain.correct(session)
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.training.clip_norm)
        self._optimizer.step()
        session.step += 1
        return loss.detach()

    def inputs(self, part: Examples, views: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images as the net takes them (B, C, H, W), augmented where the run says so, and their labels."""
        x, y = self._normalise(part.x), part.y
        if self.training.augment is not None:
            x, y = self.training.augment.apply(x, y, views)
        return self._layout(x), y

    def _batch(self, train: Examples, index: Tensor, views: torch.Generator) -> Batch:
        part = train[index]
        x, y = self.inputs(part, views)
        features = self.net.features(x)
        return Batch(x, y, part.seen, index, features, self.net.head(features))

    def _augment(self, client: int, index: Tensor, generator: torch.Generator) -> Tensor:
        """Another augmented view of a client's training images in the given rows."""
        return self.inputs(self.share(client).train[index], generator)[0]

    def _sweep(self, net: Net, client: int) -> Iterator[Swept]:
        """A pass over a client's training images as `Client.sweep` gives it; the net's mode is put back at the end."""
        images, training = self.share(client).train, net.training
        net.eval()
        try:
            for rows in spans(images):
                with torch.no_grad():
                    features = net.features(self._layout(self._normalise(images[rows].x)))
                    swept = Swept(rows, features, net.head(features))
                yield swept
        finally:
            net.train(training)

    def _layout(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last) if self._channels_last else x

    def _mean(self, losses: Sequence[Tensor], sizes: Sequence[int], session: Session) -> float:
        mean = sum(loss.item() * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
        if math.isfinite(mean):
            return mean
        fix = "Training diverged: lower optimizer.lr, or set clip_norm."
        raise refuse(f"client {session.id}, round {session.round}", "a finite training loss", mean, fix)

    def _spare(self, weights: Payload) -> Net:
        """A frozen net in eval mode: the received weights (local part included) with `weights` on top."""
        if self._spares_used == len(self._spares):
            self._spares.append(copy.deepcopy(self.net).requires_grad_(False).eval())
        spare = self._spares[self._spares_used]
        self._spares_used += 1
        _copy({**self._own, **weights}, spare.state_dict())
        return spare

    @contextmanager
    def _named(self, job: Job) -> Iterator[None]:
        """Errors inside the block say which client, round, stage and strategy they come from."""
        try:
            with torch.enable_grad():
                yield
        except UserError:
            raise
        except Exception as error:
            where = f"client {job.client}, round {job.round}, stage {self._stage}, strategy {self.chain}"
            error.add_note(f"fedmed: in {where}")
            raise


def _rebuilt(arguments: dict[str, Any]) -> Trainer:
    """A pickled trainer; its net's tensors may lie in memory that others read, so it takes a copy."""
    return Trainer(**{**arguments, "net": copy.deepcopy(arguments["net"])})


def _copy(source: Payload, target: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in source.items():
            target[name].copy_(tensor)


def _unshared(memory: dict[str, State]) -> dict[str, State]:
    """A copy of nested dicts, so that a round that fails leaves the memory as it was; tensors are shared."""
    return {key: _unshared(value) if isinstance(value, dict) else value for key, value in memory.items()}
