"""The parts of an experiment, built from its config and checked against each other before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from omegaconf import DictConfig

from fedmed.client import Trainer, Training
from fedmed.config.build import build, resolve, settings
from fedmed.config.experiment import Experiment
from fedmed.data.augment import Augment, NoneAugment
from fedmed.data.examples import Examples
from fedmed.data.node_data import NodeData
from fedmed.data.pooled import pooled
from fedmed.data.world import World, build_world
from fedmed.deploy.site_world import server_world
from fedmed.deploy.submit import superlink_of
from fedmed.devices import device_of
from fedmed.engine.base import Engine
from fedmed.errors import Fault, UserError, near
from fedmed.method import Chain, Setup
from fedmed.metric_direction import DEFAULT_METRIC, HIGHER_IS_BETTER, Directions
from fedmed.metrics import declared, names, undeclared
from fedmed.models.net import Model, Net, scope
from fedmed.models.start import check, create, shape_faults
from fedmed.run.conditions import build_conditions
from fedmed.run.identity import identity, marks
from fedmed.run.own_augment import moves, try_augment
from fedmed.run.own_loss import own_loss
from fedmed.server import Conditions, ServerOptimizer
from fedmed.tasks import Task
from fedmed.tracking import Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a run is made of."""

    settings: Experiment
    world: World
    task: Task
    chain: Chain
    model: Model
    net: Net
    trainer: Trainer
    engine: Engine
    server: ServerOptimizer
    conditions: Conditions
    tracking: Tracking
    metric: str
    directions: Directions
    identity: str
    marks: Mapping[str, str]


def build_parts(config: DictConfig, world: World | None = None) -> Parts:
    """Loads the data, unless they are given, and builds everything else; raises `UserError` with every fault found."""
    chosen, chain, conditions = settings(config), build_chain(config), build_conditions(config)
    if chosen.pooled:
        chosen = replace(chosen, clients_per_round=None)
    device = device_of(chosen.device)
    if faults := list(conditions.faults(chain)):
        raise UserError(*faults)
    world = world or load_world(config)
    task = world.task
    if chosen.loss:
        task = replace(task, entrywise=own_loss(chosen.loss, task, _some(world)))
    model: Model = build(config.model)
    model_faults = check(model, task.kind, world.channels, world.side)
    if faults := [*model_faults, *_client_faults(chosen, world, conditions), *_metric_faults(chosen, task)]:
        raise UserError(*faults)
    shape = {"channels": world.channels, "outputs": task.outputs, "side": world.side}
    net = create(model, **shape, seed=chosen.seed)
    if faults := shape_faults(net, task.kind, **shape):
        raise UserError(*faults)
    augment: Augment = build(config.augment)
    try_augment(augment, _some(world), lambda side: shape_faults(net, task.kind, **{**shape, "side": side}))
    setup = Setup(
        task=task,
        net=net,
        optimizer=chosen.optimizer,
        rounds=chosen.rounds,
        clients=len(world.shares),
        moves=moves(augment),
    )
    if faults := [*chain.check(setup), *_local_faults(chain, net), *_uncovered(conditions, chain, net)]:
        raise UserError(*faults)
    return Parts(
        settings=chosen,
        world=world,
        task=task,
        chain=chain,
        model=model,
        net=net,
        trainer=_trainer(config, chosen, world, task, chain, model, net, device, augment),
        engine=build(config.engine),
        server=build(config.server),
        conditions=conditions,
        tracking=build(config.tracking),
        metric=chosen.metric or DEFAULT_METRIC[task.kind],
        directions={**HIGHER_IS_BETTER, **declared(map(resolve, chosen.metrics))},
        identity=identity(config, world, net),
        marks=marks(world, chain),
    )


def build_chain(config: DictConfig) -> Chain:
    """The method of a config: its members by the names of their options, in order."""
    return Chain({str(name): build(node) for name, node in config.strategy.items()})


def load_world(config: DictConfig) -> World:
    """The world of a config."""
    chosen, link = settings(config), superlink_of(config)
    if link is not None and link.sites:
        return server_world(config, link)
    world = build_world(
        build(config.dataset),
        partition=build(config.partition),
        annotation=build(config.annotation),
        shift=build(config.shift),
        clients=chosen.clients,
        client_test=chosen.client_test,
        seed=chosen.seed,
    )
    return pooled(world) if chosen.pooled else world


def _some(world: World) -> Examples | None:
    """Training images on which code of the user's can be tried; None where none are here."""
    return next((share.train for share in world.shares if len(share.train)), None)


def _trainer(
    config: DictConfig,
    chosen: Experiment,
    world: World,
    task: Task,
    chain: Chain,
    model: Model,
    net: Net,
    device: torch.device,
    augment: Augment,
) -> Trainer:
    training = Training(
        optimizer=chosen.optimizer,
        epochs=chosen.epochs,
        steps=chosen.local_steps,
        batch_size=chosen.batch_size,
        clip_norm=chosen.clip_norm,
        precision=chosen.precision,
        augment=None if isinstance(augment, NoneAugment) else augment,
        metrics=[resolve(name) for name in chosen.metrics],
        compression=build(config.compression),
        private=(link := superlink_of(config)) is not None and link.sites,
    )
    return Trainer(
        net=net,
        chain=chain,
        task=task,
        training=training,
        share=NodeData(world.shares, world.test),
        normalise=world.normalise,
        seed=chosen.seed,
        channels_last=model.channels_last,
        device=device,
    )


def _client_faults(chosen: Experiment, world: World, conditions: Conditions) -> Iterator[Fault]:
    clients, wanted = len(world.shares), chosen.clients_per_round
    if wanted is not None and wanted > clients:
        fix = "Lower it, or ask for more clients."
        yield Fault("clients_per_round", f"at most {clients}, the number of clients", str(wanted), fix)
    if chosen.patience is not None and not any(len(share.val) for share in world.shares):
        fix = "Raise dataset.val, or set patience=null: a better round is one with better validation at the clients."
        yield Fault("patience", "validation images at some client", "none", fix)
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


def _local_faults(chain: Chain, net: Net) -> Iterator[Fault]:
    for name, method in chain.members.items():
        for pattern in method.local:
            if not scope(net, [pattern]):
                entries = ", ".join(list(net.state_dict())[:4])
                fix = f"The model's weights begin with {entries}; model.norm=batch adds normalisation to small_cnn."
                yield Fault(f"strategy.{name}.local", "patterns that match weights of the model", pattern, fix)


def _uncovered(conditions: Conditions, chain: Chain, net: Net) -> Iterator[Fault]:
    local = scope(net, chain.local)
    shared = {name: tensor for name, tensor in net.state_dict().items() if name not in local}
    return conditions.privacy.uncovered(shared, frozenset(name for name, _ in net.named_parameters()))
