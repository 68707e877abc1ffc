"""One client's round: from a request (what arrives) to a result (what leaves), on one net and one optimizer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from fedmed import devices, rng
from fedmed.checks import check_state
from fedmed.client.images import chosen, labelled, normaliser_on, on_device
from fedmed.client.passes import Passes
from fedmed.client.precision import GradientStep, lower
from fedmed.client.request import LOCAL, OPTIMIZER, RESIDUAL, ClientRequest, ClientResult
from fedmed.client.shared_net import FrozenCopies, NetGuard, copy_into, draws_in_training
from fedmed.client.spec import TrainerSpec
from fedmed.client.validation import check_payloads, check_weights, mean_loss, own_copy, room
from fedmed.data.batches import batches, evaluation_slices, images_seen, steps_taken
from fedmed.data.examples import Examples
from fedmed.devices import PROCESSOR, Nested
from fedmed.errors import UserError, refuse
from fedmed.method import Batch, Client, Payload, RoundContext, Scope, State
from fedmed.metrics import Scores, Tally, tally
from fedmed.models.net import fixed, scope
from fedmed.optimizers import OptimizerState, learning_rate, make_optimizer


class Trainer:
    """Runs clients' rounds one after another on one net.

    device: where the net, its steps and (while there is room) the images are; requests may come from anywhere.
    sharers: how many trainers there are on the device.
    shared: the net's shared tensors, by state-dict name; always the same dict. local: names of those that stay at each
        client. Those that nobody trains are in neither: every trainer has them from the run's configuration.
    share: what a client holds, by its number, as the device sees it. passes: how images go into the net.
    """

    def __init__(self, spec: TrainerSpec, *, device: torch.device = PROCESSOR, sharers: int = 1) -> None:
        self._spec, self.device = spec, device
        self.chain, self.task, self.training, self.seed = spec.chain, spec.task, spec.training, spec.seed
        devices.compute_exactly(device)
        # before any copy is made of the net, so that copies compute in the same precision
        lower(spec.net, spec.training.precision)
        self.net = spec.net.to(device)
        self.share = on_device(spec.share, device, sharers)
        normalise = normaliser_on(spec.normalise, device)
        self.passes = Passes(normalise, spec.training.augment, spec.channels_last, spec.patch)
        self._transforms = spec.chain.has("transform")
        # The net's own tensors. Optimizer, guard and lent replies hold the same ones, so that weights are only ever
        # copied into them: a tensor that is replaced would be trained by nobody, and sent to nobody.
        self._weights = dict(self.net.state_dict())
        frozen = fixed(self.net)
        self.local = scope(self.net, spec.chain.local) - frozen
        self.shared = {name: tensor for name, tensor in self._weights.items() if name not in self.local | frozen}
        self._initial = {name: self._weights[name].clone() for name in sorted(self.local)}
        self._optimizer = make_optimizer(spec.training.optimizer, self.net.parameters())
        self._gradient_step = GradientStep(self._optimizer, spec.training.precision, device)
        self._copies, self._guard = FrozenCopies(self.net), NetGuard(self.net)
        self._stage = ""

    def __reduce__(self) -> tuple[object, ...]:
        """A trainer elsewhere, on the processor, with a net of its own, which begins as this one did."""
        return _rebuilt, (self.begun_anew(),)

    def begun_anew(self) -> TrainerSpec:
        """What this trainer was made of, with a copy of the net on the processor in which no client has trained.

        Shared weights are as they stand: every request brings its own.
        """
        net = copy.deepcopy(self.net)
        copy_into(net.state_dict(), self._initial)
        return replace(self._spec, net=net.cpu())

    def replica(self, device: torch.device | None = None, sharers: int = 1) -> Trainer:
        """Another trainer of the same clients, with a net of its own that begins as this one's did.

        device: None for this one's.
        """
        return Trainer(self.begun_anew(), device=device or self.device, sharers=sharers)

    def net_draws(self) -> bool:
        """Whether the net draws random numbers in training (dropout, drop path): from torch's one generator."""
        one = self._spec.share(0).train.x[:1]
        # two images, as BatchNorm refuses to train on one
        return draws_in_training(self.net, self.passes.trial(torch.cat([one, one])))

    def train(self, request: ClientRequest) -> ClientResult:
        """Local training from the request's weights; errors name the client, the round and the stage.

        The result's weights are the net's own tensors, good until this trainer has its next client.
        """
        with self._named(request):
            client = self.receive(request)
            loss = self._train(client, request.state.get(OPTIMIZER, {}))
            self._stage = "report"
            payloads = self._reported(client)
            self._check_net(request)
            # in this order: the memory is copied before the method sees the client's own test images or the truth
            state = self._memory(client)
            test, truth = self.share(request.client).test, self.share(request.client).truth
            rows, how = len(client.train), self.training
            return ClientResult(
                examples=rows,
                images=images_seen(rows, how.batch_size, epochs=how.epochs, steps=how.steps),
                loss=loss,
                weights=self.shared,
                payloads=payloads,
                state=state,
                adapted=self.score(test, "adapted", client) if request.adapted and len(test) else None,
                audit={} if truth is None else self.chain.audit(client, truth),
            )

    def _train(self, client: Client, memory: OptimizerState) -> float:
        """Local training; the mean loss over the images seen."""
        training, rows = self.training, len(client.train)
        self._optimizer.load_state_dict(memory)
        self._gradient_step.begin()
        self._optimizer.lr = client.lr
        # Dropout draws from torch's one generator of the process. Seeded for each client and round, its numbers do not
        # depend on who trained here before, nor on how many workers there are.
        rng.seed_dropout(self.seed, client.round, client.id, device=self.device)
        order = rng.generator(self.seed, "batches", client.round, client.id)
        views = rng.generator(self.seed, "augment", client.round, client.id) if self.passes.varied else order
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
        """One optimizer step on the rows `index` (B,); the detached loss, ()."""
        batch = self._batch(client, index, views)
        loss = self.chain.loss(client, batch)
        self._gradient_step.step(loss, lambda: self._correct(client))
        client.context.step += 1
        # no number yet: to read one here would have the processor wait for a GPU at every step
        return loss.detach()

    def _correct(self, client: Client) -> None:
        """Gradients as the methods change them, then clipped: what methods add counts in the norm."""
        self.chain.correct(client)
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.training.clip_norm)

    def _reported(self, client: Client) -> dict[str, Payload]:
        payloads = self.chain.report(client)
        check_payloads(payloads, room(self.shared), f"client {client.id}, round {client.round}")
        return self._here(payloads)

    def _check_net(self, request: ClientRequest) -> None:
        """Raises `UserError` where the net is not what it was, or holds what is not finite."""
        where = f"client {request.client}, round {request.round}"
        self._guard.check(where)
        check_weights(self._weights, self.received(request), where)

    def _memory(self, client: Client) -> dict[str, dict[str, State]]:
        """What the client keeps until its next round: copies, as the net trains on and methods keep what is its own."""
        for name, memory in client.context.state.items():
            check_state(memory, f"client {client.id}, round {client.round}: {name}, client.state")
        state = {name: own_copy(memory) for name, memory in client.context.state.items() if memory}
        if self.local:
            state[LOCAL] = {name: self._weights[name].clone() for name in self._initial}
        if self.training.optimizer.state == "persist":
            state[OPTIMIZER] = self._optimizer.state_dict()
        return state

    def compress(self, request: ClientRequest, state: dict[str, dict[str, State]]) -> Payload:
        """What goes up of the weights after training; `state` gets what is kept of the rest."""
        compression, names = self.training.compression, {name for name, _ in self.net.named_parameters()}
        draws = rng.generator(self.seed, "compression", request.round, request.client)
        anchor, residual = self._here(request.shared), self._here(request.state.get(RESIDUAL, {}))
        sent = compression.compress(self.shared, anchor, names, residual, draws)
        if sent.residual:
            state[RESIDUAL] = sent.residual
        return sent.tensors

    def receive(self, request: ClientRequest) -> Client:
        """Puts the request's weights and the client's own into the net; the round as its methods see it."""
        self._stage = "receive"
        self._copies.begin()
        own = request.state.get(LOCAL, self._initial)
        self.load(self.received(request))
        memory = {name: memory for name, memory in request.state.items() if not name.startswith("@")}
        train, how = self.share(request.client).train, self.training
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
                # a copy: where the round fails, the client's memory is what it was before
                state=own_copy(self._here(memory)),
                frozen_copy=lambda weights: self._copies.take({**own, **weights}),
                sweep=lambda net, x: self.passes.sweep(net, train if x is None else Examples(x, x)),
                augment=lambda index, generator, strength: self.passes.view(chosen(train, index), generator, strength),
                own_val=lambda: self._own_val(request.client),
                steps=steps_taken(len(train), how.batch_size, epochs=how.epochs, steps=how.steps),
            ),
        )

    def received(self, request: ClientRequest) -> dict[str, Tensor]:
        """All weights of the net as the request's round begins, where it is: the shared ones and the client's own."""
        return self._here({**request.state.get(LOCAL, self._initial), **request.shared})

    def load(self, shared: Payload) -> None:
        """Puts shared weights into the net."""
        copy_into(self._weights, shared)

    def _here(self, tensors: Nested) -> Nested:
        """Nested tensors, on the device of the net: the very same where they are there already."""
        return tensors if self.device.type == "cpu" else devices.moved(tensors, self.device)

    def images(self, client: int) -> int:
        """How many training images a client has."""
        return len(self._spec.share(client).train)

    def evaluate(self, request: ClientRequest) -> dict[str, Scores]:
        """Scores of the received model, with the client's own local part, on its `val`, `audit` and `test` images."""
        return {name: tally.scores() for name, tally in self.tallies(request).items()}

    def tallies(self, request: ClientRequest) -> dict[str, Tally]:
        """What tallies add up of the received model's predictions, by `val`, `audit` and `test` where not empty."""
        with self._named(request):
            client, share = self.receive(request), self.share(request.client)
            held = {"val": share.val, "audit": share.audit, "test": share.test}
            return {n: self.assess(e, "client", client) for n, e in held.items() if e is not None and len(e)}

    def score(self, examples: Examples, scope: Scope, client: Client | None = None) -> Scores:
        """Scores of the net with the weights that it has now."""
        return self.assess(examples, scope, client).scores()

    def assess(
        self, examples: Examples, scope: Scope, client: Client | None = None, *, thorough: bool = False
    ) -> Tally:
        """The tally of the net's predictions; thorough: with slow surface metrics."""
        self._stage = f"evaluate ({scope})"
        self.net.eval()  # nobody puts it back: a round's training begins with `NetGuard.begin`, which does
        result = tally(self.task, extra=self.training.metrics, thorough=thorough)
        with torch.no_grad():
            for rows in evaluation_slices(examples):
                part = labelled(examples[rows], self.device)
                logits = self.predicted(part, scope, client)
                result.add(logits, part.y, part.seen, part.spacing)
        return result

    def predicted(self, part: Examples, scope: Scope, client: Client | None = None) -> Tensor:
        """Logits of whole images by the net as it stands, as the chain predicts."""
        return self.passes.whole(lambda x: self.chain.predict(self.net, x, scope, client), self.passes.inputs(part).x)

    def _batch(self, client: Client, index: Tensor, views: torch.Generator) -> Batch:
        """The rows `index` (B,) of the training images, with the one forward pass that all methods share."""
        part = self.passes.inputs(chosen(client.train, index), views)
        x, y, seen = part.x, part.y, part.seen
        if self._transforms:
            x, y, seen = self.chain.transform(client, x, y, seen, index)
            x = self.passes.laid_out(x)
        features = self.net.features(x)
        return Batch(x, y, seen, index, features, self.net.head(features))

    def _own_val(self, client: int) -> Examples:
        """The half of a client's validation images that its methods may look at."""
        found = self.share(client).own_val if self.chain.needs_val else None
        if found is None:
            fix = "Write needs_val: ClassVar[bool] = True in the class; it costs half of the validation images."
            raise refuse(f"client {client}, client.own_val", "a method with needs_val = True", str(self.chain), fix)
        return found

    @contextmanager
    def _named(self, request: ClientRequest) -> Iterator[None]:
        """Errors inside the block say which client, round, stage and strategy they come from."""
        where = f"client {request.client}, round {request.round}"
        try:
            # whoever calls may have switched gradients off, for instance while it evaluates
            with torch.enable_grad(), devices.settings_kept(f"{where}, {self.chain}"):
                yield
        except Exception as error:
            self._guard.restore()  # what this client did to the net must not be another one's fault
            if not isinstance(error, UserError):
                error.add_note(f"fedmed: in {where}, stage {self._stage}, strategy {self.chain}")
            raise


def _rebuilt(spec: TrainerSpec) -> Trainer:
    """A pickled trainer; its net's tensors may lie in memory that others read, so it takes a copy."""
    return Trainer(replace(spec, net=copy.deepcopy(spec.net)))
