"""The parts of a run: data loaded, net made, and everything checked against each other before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from fedmed.client import Trainer, TrainerSpec, Training
from fedmed.data.augment import NoneAugment
from fedmed.data.batches import images_seen
from fedmed.data.examples import Examples
from fedmed.data.node_data import NodeData
from fedmed.data.pooled import pooled
from fedmed.data.world import World, build_world
from fedmed.deploy.site_world import server_world
from fedmed.devices import device_of
from fedmed.engine.base import Workload
from fedmed.errors import Fault, UserError, near
from fedmed.experiment import Experiment
from fedmed.initial_net import initial_net
from fedmed.method import Chain
from fedmed.metric_direction import DEFAULT_METRIC, HIGHER_IS_BETTER, Directions
from fedmed.metrics import declared, names, undeclared
from fedmed.models.net import Net
from fedmed.models.start import check, shape_faults
from fedmed.options.code import resolve
from fedmed.run.conditions import conditions_of, undisturbed
from fedmed.run.identity import fingerprints, identity
from fedmed.run.own_code import own_loss, try_augment
from fedmed.server import Conditions
from fedmed.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a run is made of."""

    experiment: Experiment
    world: World
    task: Task
    chain: Chain
    net: Net
    trainer: Trainer
    conditions: Conditions
    metric: str
    directions: Directions
    requested: Experiment
    identity: str
    fingerprints: Mapping[str, str]

    def workload(self, *, done: int = 0) -> Workload:
        """How much training is left after `done` rounds: clients of a round, and images of all rounds."""
        chosen, sizes = self.experiment, [len(share.train) for share in self.world.shares]
        clients = chosen.clients_per_round or len(sizes)
        all_once = sum(images_seen(n, chosen.batch_size, epochs=chosen.epochs, steps=chosen.local_steps) for n in sizes)
        return Workload(clients, max(chosen.rounds - done, 0) * all_once * clients // len(sizes))

    @property
    def personal(self) -> bool:
        """Whether there is no global model: part of the net stays at each client, or clients have several models."""
        return bool(self.trainer.local) or self.chain.has("split")


def build_parts(experiment: Experiment, world: World | None = None) -> Parts:
    """Loads the data, unless they are given, and makes everything else; raises `UserError` with every fault found."""
    chosen = undisturbed(experiment) if experiment.pooled else experiment
    chain, conditions, model = chosen.methods, conditions_of(chosen), chosen.model
    device = device_of(chosen.device)
    if faults := list(conditions.faults(chain)):
        raise UserError(*faults)
    world = world or load_world(experiment)
    task = world.task
    if chosen.loss:
        task = replace(task, entrywise=own_loss(chosen.loss, task, _some(world)))
    model_faults = check(model, task.kind, world.channels, world.side, world.dimensions)
    if faults := [*model_faults, *_client_faults(chosen, world, conditions), *_metric_faults(chosen, task)]:
        raise UserError(*faults)
    size = {"channels": world.channels, "side": world.side, "dimensions": world.dimensions}
    net = initial_net(chosen, task, **size, clients=len(world.shares))
    shape = {**size, "outputs": task.outputs}
    try_augment(chosen.augment, _some(world), lambda side: shape_faults(net, task.kind, **{**shape, "side": side}))
    known = fingerprints(experiment, world)
    return Parts(
        experiment=chosen,
        requested=experiment,
        world=world,
        task=task,
        chain=chain,
        net=net,
        trainer=_trainer(chosen, world, task, net, device),
        conditions=conditions,
        metric=chosen.metric or DEFAULT_METRIC[task.kind],
        directions={**HIGHER_IS_BETTER, **declared(map(resolve, chosen.metrics))},
        identity=identity(experiment, world, net, files=known.get("files", "")),
        fingerprints=known,
    )


def load_world(experiment: Experiment) -> World:
    """The world of an experiment."""
    if (images := experiment.engine.site_images) is not None:
        return server_world(experiment, images)
    world = build_world(
        experiment.dataset,
        partition=experiment.partition,
        annotation=experiment.annotation,
        shift=experiment.shift,
        clients=experiment.clients,
        client_test=experiment.client_test,
        seed=experiment.seed,
        own_val=experiment.methods.needs_val,
    )
    return pooled(world) if experiment.pooled else world


def _some(world: World) -> Examples | None:
    """Training images on which code of the user's can be tried; None where none are here."""
    return next((share.train for share in world.shares if len(share.train)), None)


def _trainer(chosen: Experiment, world: World, task: Task, net: Net, device: torch.device) -> Trainer:
    training = Training(
        optimizer=chosen.optimizer,
        epochs=chosen.epochs,
        steps=chosen.local_steps,
        batch_size=chosen.batch_size,
        clip_norm=chosen.clip_norm,
        precision=chosen.precision,
        augment=None if isinstance(chosen.augment, NoneAugment) else chosen.augment,
        metrics=[resolve(name) for name in chosen.metrics],
        compression=chosen.compression,
        private=chosen.engine.site_images is not None,
    )
    spec = TrainerSpec(
        net=net,
        chain=chosen.methods,
        task=task,
        training=training,
        share=NodeData(world.shares, world.test),
        normalise=world.normalise,
        seed=chosen.seed,
        channels_last=chosen.model.channels_last,
        patch=world.patch,
    )
    return Trainer(spec, device=device)


def _client_faults(chosen: Experiment, world: World, conditions: Conditions) -> Iterator[Fault]:
    clients, wanted = len(world.shares), chosen.clients_per_round
    if wanted is not None and wanted > clients:
        fix = "Lower it, or ask for more clients."
        yield Fault("clients_per_round", f"at most {clients}, the number of clients", str(wanted), fix)
    if chosen.patience is not None and not any(len(share.val) for share in world.shares):
        fix = "Raise dataset.val, or set patience=null: a better round is one with better validation at the clients."
        yield Fault("patience", "validation images at some client", "none", fix)
    if chosen.methods.needs_val and not any(share.own_val for share in world.shares) and chosen.engine.simulates:
        fix = "Raise dataset.val: half of every client's validation images are looked at by the strategy."
        yield Fault("dataset.val", f"validation images for {chosen.methods}", "none at any client", fix)
    yield from conditions.sampling.faults(clients)


def _metric_faults(chosen: Experiment, task: Task) -> Iterator[Fault]:
    own = [resolve(name) for name in chosen.metrics]
    known = names(task, own)
    if chosen.metric is None:
        return
    if chosen.metric in known and chosen.metric not in {*HIGHER_IS_BETTER, *declared(own)}:
        yield undeclared("metric", chosen.metric)
    if chosen.metric not in known:
        yield Fault("metric", f"a metric of {task.kind}", chosen.metric, near(chosen.metric, known))
