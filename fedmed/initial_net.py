"""The net that a run starts from: made by its model, then built on by its methods; equal for equal seeds."""

from __future__ import annotations

from collections.abc import Iterator

from fedmed.data.augment import moves_images
from fedmed.errors import Fault, UserError
from fedmed.experiment import Experiment
from fedmed.method import Chain, Setup
from fedmed.models.net import Net, fixed, scope
from fedmed.models.start import create, laid_out, shape_faults
from fedmed.tasks import Task


def initial_net(
    experiment: Experiment, task: Task, *, channels: int, side: int, clients: int, dimensions: int = 2
) -> Net:
    """The net for images (B, channels, side, side), with what the methods of the experiment add to it or freeze.

    clients: of the federation, absent ones too. dimensions: 2, or 3 for volumes.
    Raises `UserError` with all that speaks against the model, the methods or what they have built.
    """
    chain = experiment.methods
    shape = {"channels": channels, "outputs": task.outputs, "side": side, "dimensions": dimensions}
    net = create(experiment.model, **shape, seed=experiment.seed)
    if faults := shape_faults(net, task.kind, **shape):
        raise UserError(*faults)
    setup = Setup(
        task=task,
        net=net,
        optimizer=experiment.optimizer,
        rounds=experiment.rounds,
        clients=clients,
        clients_per_round=experiment.clients_per_round,
        moves=moves_images(experiment.augment) or experiment.dataset.patch is not None,
        dimensions=dimensions,
    )
    faults = chain.check(setup)
    if chain.has("build"):
        if faults:  # nothing is built on what a method has refused
            raise UserError(*faults)
        net = laid_out(chain.build(net, setup, seed=experiment.seed), experiment.model, dimensions)
        faults = shape_faults(net, task.kind, **shape)
    if faults := [*faults, *_local_faults(chain, net), *_untrained(net), *_uncovered(experiment, net)]:
        raise UserError(*faults)
    return net


def _local_faults(chain: Chain, net: Net) -> Iterator[Fault]:
    for name, method in chain.members.items():
        for pattern in method.local:
            if not scope(net, [pattern]):
                entries = ", ".join(list(net.state_dict())[:4])
                fix = f"The model's weights begin with {entries}; model.norm=batch adds normalisation to small_cnn."
                yield Fault(f"strategy.{name}.local", "patterns that match weights of the model", pattern, fix)


def _untrained(net: Net) -> Iterator[Fault]:
    if not any(parameter.requires_grad for parameter in net.parameters()):
        fix = "Leave out some of its patterns, for example model.freeze=[features.*]."
        yield Fault("model.freeze", "weights that are left to train", "all of them frozen", fix)


def _uncovered(experiment: Experiment, net: Net) -> Iterator[Fault]:
    apart = scope(net, experiment.methods.local) | fixed(net)
    shared = {name: tensor for name, tensor in net.state_dict().items() if name not in apart}
    return experiment.privacy.uncovered(shared, frozenset(name for name, _ in net.named_parameters()))
