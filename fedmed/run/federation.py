"""Who holds what in the federation of an experiment, before anyone trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fedmed.config.build import config_of, from_yaml
from fedmed.config.values import Config
from fedmed.data import partition
from fedmed.data.examples import name_of
from fedmed.data.world import World
from fedmed.errors import UserError
from fedmed.experiment import Experiment
from fedmed.formatting import byte_size
from fedmed.initial_net import initial_net
from fedmed.models.net import Net, fixed, scope
from fedmed.run.parts import Parts, load_world
from fedmed.rundir.federation import FederationSummary, save_federation


def describe(experiment: Experiment, partition_file: Path | None = None) -> FederationSummary:
    """Who holds how many of what in the experiment; trains nothing.

    partition_file: where to keep the division, for partition=file partition.path=; None for nowhere.
    """
    world = load_world(experiment)
    if partition_file is not None:
        partition.save(partition_file, world.parts)
    return federation_summary(world, _title(config_of(experiment)), _planned_model(experiment, world))


def keep_federation(parts: Parts, config_yaml: str, folder: Path) -> None:
    """Writes who holds what in a run's world into its folder; nothing where no world is known here, but sites are."""
    world = parts.world
    if world.parts:
        model = model_line(parts.experiment, parts.net)
        save_federation(federation_summary(world, _title(from_yaml(config_yaml)), model), folder)


def model_line(experiment: Experiment, net: Net) -> str:
    """The net in one line: how many weights it has, how many bytes a message holds, what stays or is frozen."""
    chain, state = experiment.methods, net.state_dict()
    frozen = fixed(net)
    local = scope(net, chain.local) - frozen
    sizes = {name: tensor.numel() for name, tensor in state.items()}
    sent = {name: tensor for name, tensor in state.items() if name not in local | frozen}
    parts = [config_of(experiment).text("model"), f"{sum(sizes.values()):,} weights"]
    parts.append(f"{byte_size(sum(t.nbytes for t in sent.values()))} a message")
    parts += [f"{sum(sizes[n] for n in local):,} stay at each client"] * bool(local)
    parts += [f"{sum(sizes[n] for n in frozen):,} frozen"] * bool(frozen)
    parts += [f"clients split among models by {chain}"] * chain.has("split")
    return " · ".join(parts)


def _planned_model(experiment: Experiment, world: World) -> str:
    """The line of the net that the run would have, or why it would be refused."""
    size = {"channels": world.channels, "side": world.side, "dimensions": world.dimensions}
    try:
        return model_line(experiment, initial_net(experiment, world.task, **size, clients=len(world.shares)))
    except UserError as error:
        return f"model: {error.faults[0]}"


def federation_summary(world: World, title: str, model: str = "") -> FederationSummary:
    """Who holds what in a world. model: the net in one line."""
    clients = [str(i) for i in range(len(world.shares))]
    names = world.task.names or tuple(map(str, range(world.task.classes)))
    sites = [_site(world, audit.site) for audit in world.audit]
    kinds = [audit.kind for audit in world.audit]
    completeness = np.array([audit.completeness for audit in world.audit])
    classes = (len(clients), world.task.classes)
    annotated = np.array([np.broadcast_to(audit.annotated, classes[1:]) for audit in world.audit])
    return FederationSummary(
        title=title,
        counts=np.array([audit.shown for audit in world.audit]),
        images=np.array([[len(s.train), len(s.val), len(s.test)] for s in world.shares]),
        annotated=None if (annotated == 1).all() else annotated,
        completeness=None if (completeness == 1).all() else completeness,
        class_names=names,
        client_names=clients,
        site_names=[site or "" for site in sites] if any(sites) else None,
        server_test=len(world.test),
        kinds=kinds if any(kinds) else None,
        model=model,
    )


def _site(world: World, site: int | None) -> str | None:
    return None if site is None else name_of(site, world.site_names)


def _title(config: Config) -> str:
    return " · ".join(config.text(group) for group in ("dataset", "partition", "annotation"))
