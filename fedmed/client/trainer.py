"""One client's round: from a request (what arrives) to a result (what leaves), on one net and one optimizer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fedmed import devices, rng
from fedmed.checks import check_state
from fedmed.client.images import arriving, augmented, chosen, labelled, placed
from fedmed.client.precision import GradientStep, lower
from fedmed.client.request import LOCAL, OPTIMIZER, RESIDUAL, ClientData, ClientRequest, ClientResult, Training
from fedmed.client.shared_net import FrozenCopies, NetGuard, copy_into
from fedmed.client.validation import check_payloads, check_weights, mean_loss, own_copy, room
from fedmed.data.batches import batches, evaluation_slices, images_seen
from fedmed.data.examples import Examples
from fedmed.devices import PROCESSOR, Nested
from fedmed.errors import UserError
from fedmed.method import Batch, Chain, Client, Payload, RoundContext, Scope, State, SweepPart
from fedmed.metrics import Scores, Tally, tally
from fedmed.models.net import Net, scope
from fedmed.optimizers import Memory, learning_rate, make_optimizer
from fedmed.tasks import Task


class Trainer:
    """Runs clients' rounds one after another on one net.

    net: with its initial weights; the local part of a client that never trained starts from these.
    shared: the net's shared tensors, by state-dict name; always the same dict.
    normalise: stored pixels (B, C, H, W) -> float batch.
    device: where the net, its steps and (while there is room) the images are; requests may come from anywhere.
    sharers: how many trainers there are on the device.
    """

    def __init__(
        self,
        *,
        net: Net,
        chain: Chain,
        task: Task,
        training: Training,
        share: Callable[[int], ClientData],
        normalise: Callable[[Tensor], Tensor],
        seed: int,
        channels_last: bool = False,
        device: torch.device = PROCESSOR,
        sharers: int = 1,
    ) -> None:
        self._given: dict[str, Any] = {"chain": chain, "task": task, "training": training, "share": share}
        self._given |= {"normalise": normalise, "seed": seed, "channels_last": channels_last}
        devices.compute_exactly(device)
        lower(net, training.precision)
        self.net, self.chain, self.task, self.training = net.to(device), chain, task, training
        self.device, self.seed, self._channels_last = device, seed, channels_last
        self.share, self._normalise = placed(share, device, sharers), arriving(normalise, device)
        self._weights = dict(net.state_dict())
        self.local = scope(net, chain.local)
        self.shared = {name: tensor for name, tensor in self._weights.items() if name not in self.local}
        self._initial = {name: self._weights[name].clone() for name in sorted(self.local)}
        self._optimizer = make_optimizer(training.optimizer, net.parameters())
        self._descent = GradientStep(self._optimizer, training.precision, device)
        self._copies, self._guard = FrozenCopies(net), NetGuard(net)
        self._stage = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """A trainer elsewhere, on the processor, with a net of its own, which begins as this one did."""
        net = copy.deepcopy(self.net)
        copy_into(net.state_dict(), self._initial)
        return _rebuilt, ({"net": net.cpu(), **self._given},)

    def replica(self, device: torch.device | None = None, sharers: int = 1) -> Trainer:
        """Another trainer of the same clients, with a net of its own that begins as this one's did.

        device: None for this one's.
        """
        rebuild, (arguments,) = self.__reduce__()
        replica: Trainer = rebuild(arguments | {"device": device or self.device, "sharers": sharers})
        return replica

    def net_draws(self) -> bool:
        """Whether the net draws random numbers in training (dropout, drop path): from torch's one generator."""
        net, one = copy.deepcopy(self.net).cpu().train(), self._given["share"](0).train.x[:1]
        before = torch.get_rng_state()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            net(self._layout(self._given["normalise"](torch.cat([one, one]))))
            return not torch.equal(before, torch.get_rng_state())

    def train(self, request: ClientRequest) -> ClientResult:
        """Local training from the request's weights; errors name the client, the round and the stage."""
        with self._named(request):
            client = self.receive(request)
            loss = self._train(client, request.state.get(OPTIMIZER, {}))
            self._stage = "report"
            payloads = self._reported(client)
            self._check_net(request)
            test, truth = self.share(request.client).test, self.share(request.client).truth
            rows, how = len(client.train), self.training
            return ClientResult(
                examples=rows,
                images=images_seen(rows, how.batch_size, epochs=how.epochs, steps=how.steps),
                loss=loss,
                weights=self.shared,
                payloads=payloads,
                state=self._memory(client),
                adapted=self.score(test, "adapted", client) if request.adapted and len(test) else None,
                audit={} if truth is None else self.chain.audit(client, truth),
            )

    def _check_net(self, request: ClientRequest) -> None:
        """Raises `UserError` where the net is not what it was, or holds what is not finite."""
        where = f"client {request.client}, round {request.round}"
        self._guard.check(where)
        check_weights(self._weights, self.received(request), where)

    def _reported(self, client: Client) -> dict[str, Payload]:
        payloads = self.chain.report(client)
        check_payloads(payloads, room(self.shared), f"client {client.id}, round {client.round}")
        return self._here(payloads)

    def images(self, client: int) -> int:
        """How many training images a client has."""
        return len(self._given["share"](client).train)

    def compress(self, request: ClientRequest, state: dict[str, dict[str, State]]) -> Payload:
        """What goes up of the weights after training; `state` gets what is kept of the rest."""
        compression, names = self.training.compression, {name for name, _ in self.net.named_parameters()}
        draws = rng.generator(self.seed, "compression", request.round, request.client)
        anchor, residual = self._here(request.shared), self._here(request.state.get(RESIDUAL, {}))
        sent = compression.compress(self.shared, anchor, names, residual, draws)
        if sent.residual:
            state[RESIDUAL] = sent.residual
        return sent.tensors

    def evaluate(self, request: ClientRequest) -> dict[str, Scores]:
        """Scores of the received model, with the client's own local part, on its `val`, `audit` and `test` images."""
        return {name: tally.scores() for name, tally in self.tallies(request).items()}

    def tallies(self, request: ClientRequest) -> dict[str, Tally]:
        """What `evaluate` scores."""
        with self._named(request):
            client, share = self.receive(request), self.share(request.client)
            held = {"val": share.val, "audit": share.audit, "test": share.test}
            return {n: self.assess(e, "client", client) for n, e in held.items() if e is not None and len(e)}

    def score(self, examples: Examples, scope: Scope, client: Client | None = None) -> Scores:
        """Scores of the net as it stands."""
        return self.assess(examples, scope, client).scores()

    def assess(
        self, examples: Examples, scope: Scope, client: Client | None = None, *, thorough: bool = False
    ) -> Tally:
        """The tally of the net's predictions; thorough: with slow surface metrics."""
        self._stage = f"evaluate ({scope})"
        self.net.eval()
        result = tally(self.task, extra=self.training.metrics, thorough=thorough)
        with torch.no_grad():
            for rows in evaluation_slices(examples):
                part = labelled(examples[rows], self.device)
                logits = self.chain.predict(self.net, self._layout(self._normalise(part.x)), scope, client)
                result.add(logits, part.y, part.seen)
        return result

    def _memory(self, client: Client) -> dict[str, dict[str, State]]:
        """What the client keeps until its next round."""
        for name, memory in client.context.state.items():
            check_state(memory, f"client {client.id}, round {client.round}: {name}, client.state")
        state = {name: own_copy(memory) for name, memory in client.context.state.items() if memory}
        if self.local:
            state[LOCAL] = {name: self._weights[name].clone() for name in self._initial}
        if self.training.optimizer.state == "persist":
            state[OPTIMIZER] = self._optimizer.remember()
        return state

    def load(self, shared: Payload) -> None:
        """Puts shared weights into the net."""
        copy_into(self._weights, shared)

    def received(self, request: ClientRequest) -> dict[str, Tensor]:
        """All weights of the net as the request's round begins, where it is: the shared ones and the client's own."""
        return self._here({**request.state.get(LOCAL, self._initial), **request.shared})

    def receive(self, request: ClientRequest) -> Client:
        """Puts the request's weights and the client's own into the net; the round as its methods see it."""
        self._stage = "receive"
        self._copies.begin()
        own = request.state.get(LOCAL, self._initial)
        self.load(self.received(request))
        memory = {name: memory for name, memory in request.state.items() if not name.startswith("@")}
        train = self.share(request.client).train
        return Client(
            id=request.client,
            round=request.round,
            rounds=request.rounds,
            seed=self.seed,
            lr=learning_rate(self.training.optimizer, request.round, request.rounds),
            task=self.task,
            model=self.net,
            given=train,
            context=RoundContext(
                anchor=self._here(request.shared),
                train=train,
                inbox=self._here(request.inbox),
                state=own_copy(self._here(memory)),
                frozen_copy=lambda weights: self._copies.take({**own, **weights}),
                sweep=lambda net: self._sweep(net, request.client),
                augment=lambda index, generator: self._augment(request.client, index, generator),
            ),
        )

    def _here(self, tensors: Nested) -> Nested:
        """Nested tensors, on the device of the net."""
        return tensors if self.device.type == "cpu" else devices.moved(tensors, self.device)

    def _train(self, client: Client, memory: Memory) -> float:
        """Local training; the mean loss over the images seen."""
        training, rows = self.training, len(client.train)
        self._optimizer.recall(memory)
        self._descent.begin()
        self._optimizer.lr = client.lr
        rng.seed_dropout(self.seed, client.round, client.id, device=self.device)
        order = rng.generator(self.seed, "batches", client.round, client.id)
        views = rng.generator(self.seed, "augment", client.round, client.id) if training.augment else order
        self._guard.begin(client.given)
        self._stage = "prepare"
        self.chain.prepare(client)
        self._stage = "training"
        losses, sizes = [], []
        for index in batches(rows, training.batch_size, order, epochs=training.epochs, steps=training.steps):
            losses.append(self._step(client, index, views))
            sizes.append(len(index))
        return mean_loss(losses, sizes, f"client {client.id}, round {client.round}")

    def _step(self, client: Client, index: Tensor, views: torch.Generator) -> Tensor:
        """One optimizer step on the rows `index`; the detached loss."""
        batch = self._batch(client.train, index, views)
        loss = self.chain.loss(client, batch)
        self._descent.step(loss, lambda: self._correct(client))
        client.context.step += 1
        return loss.detach()

    def _correct(self, client: Client) -> None:
        """Gradients as the methods change them, then clipped."""
        self.chain.correct(client)
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.training.clip_norm)

    def inputs(self, part: Examples, views: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images as the net takes them (B, C, H, W), with `views` augmented where the run says so, and their labels."""
        x, y = self._normalise(part.x), part.y
        if self.training.augment is not None and views is not None:
            x, y = augmented(self.training.augment, x, y, views)
        return self._layout(x), y

    def _batch(self, train: Examples, index: Tensor, views: torch.Generator) -> Batch:
        part = chosen(train, index)
        x, y = self.inputs(part, views)
        features = self.net.features(x)
        return Batch(x, y, part.seen, index, features, self.net.head(features))

    def _augment(self, client: int, index: Tensor, generator: torch.Generator) -> Tensor:
        """Another augmented view of a client's training images in the given rows."""
        return self.inputs(chosen(self.share(client).train, index), generator)[0]

    def _sweep(self, net: Net, client: int) -> Iterator[SweepPart]:
        """A pass over a client's training images as `Client.sweep` gives it; the net's mode is put back at the end."""
        images, training = self.share(client).train, net.training
        net.eval()
        try:
            for rows in evaluation_slices(images):
                with torch.no_grad():
                    features = net.features(self._layout(self._normalise(images[rows].x)))
                    swept = SweepPart(rows, features, net.head(features))
                yield swept
        finally:
            net.train(training)

    def _layout(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last) if self._channels_last else x

    @contextmanager
    def _named(self, request: ClientRequest) -> Iterator[None]:
        """Errors inside the block say which client, round, stage and strategy they come from."""
        try:
            where = f"client {request.client}, round {request.round}, {self.chain}"
            with torch.enable_grad(), devices.settings_kept(where):
                yield
        except Exception as error:
            self._guard.restore()
            if not isinstance(error, UserError):
                where = f"client {request.client}, round {request.round}, stage {self._stage}, strategy {self.chain}"
                error.add_note(f"fedmed: in {where}")
            raise


def _rebuilt(arguments: dict[str, Any]) -> Trainer:
    """A pickled trainer; its net's tensors may lie in memory that others read, so it takes a copy."""
    return Trainer(**{**arguments, "net": copy.deepcopy(arguments["net"])})
