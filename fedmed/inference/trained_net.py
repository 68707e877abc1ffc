"""The net that a run has trained: the global one, or that of one client where models are personal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import Tensor, nn

from fedmed.checks import MismatchError, check_finite
from fedmed.client.request import LOCAL
from fedmed.client.shared_net import FrozenCopies
from fedmed.config.build import build, build_option
from fedmed.config.stored import check_code, check_values, read_stored
from fedmed.config.values import Config
from fedmed.data.examples import Examples
from fedmed.data.normalise import Normalise
from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.inference.model_card import dimensions_of, read_card
from fedmed.initial_net import initial_net
from fedmed.method import Client, RoundContext, Scope
from fedmed.method.chain import check_arguments
from fedmed.models.net import Net, fixed
from fedmed.models.start import create
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.rundir.directory import RunDirectory
from fedmed.tasks import Task


@dataclass(frozen=True, slots=True)
class TrainedNet:
    """A net in eval mode with its weights, and what it must know about its images and classes.

    card: as `fedmed.inference.model_card` keeps it. logits: of a batch as the net takes it (B, C, H, W), as the run's
    methods predict.
    """

    net: Net
    task: Task
    normalise: Normalise
    card: Mapping[str, Any]
    logits: Callable[[Tensor], Tensor]


def trained_net(
    directory: Path,
    *,
    best: bool = False,
    client: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> TrainedNet:
    """The net of a run. client: whose, where there is no global one. best: of the best round by validation.

    arguments: what the user asks of it, by names that the run's methods know; see `fedmed.method.Method.adjust`.
    trusted: files and folders with code that the run may import, beside that of fedmed and of the user's own folders;
    `say` gets their names. Raises `UserError` where the run has no such net.
    """
    kept, config = RunDirectory.open(directory), read_stored(directory)
    card, task, normalise = read_card(directory)
    saved = _Saved(kept)
    weights = _weights(saved, card, best=best, client=client)
    # what methods have built is made by their code; of any other run only the model's is needed
    groups = None if card.get("built") else ("model",)
    for code in check_code(config, directory, trusted, groups=groups):
        say(f"{directory} imports {code}")
    check_values(config, directory, () if card.get("built") else ("model", "seed"))
    experiment = build(config) if card.get("built") else None
    net = _untrained(config, card, task, experiment)
    known = weights.keys() | fixed(net) | (_untouched(card, saved, client) if client is not None else set())
    if missing := [name for name in net.state_dict() if name not in known]:
        fix = f"{missing[0]} and others stayed on the clients: choose one of them, --client 0 to {card['clients'] - 1}."
        raise refuse(str(kept.path), "a run with one global model", "a personalised one", fix)
    net.load_state_dict(weights, strict=False)
    if experiment is None:
        check_arguments(arguments or {}, (), "+".join(config.methods))
        return TrainedNet(net.eval(), task, normalise, card, net)
    methods, asking = experiment.methods, None if client is None else _asking(saved, experiment, task, net, client)
    net = methods.adjust(net.eval(), asking, arguments or {}).eval()
    scope: Scope = "test" if client is None else "client"
    return TrainedNet(net, task, normalise, card, partial(methods.predict, net, scope=scope, client=asking))


def trained_weights(
    kept: RunDirectory, card: Mapping[str, Any], *, best: bool = False, client: int | None = None
) -> dict[str, Tensor]:
    """The weights of a run that clients share, with a client's own where one is named; `UserError` for none."""
    return _weights(_Saved(kept), card, best=best, client=client)


def _weights(saved: _Saved, card: Mapping[str, Any], *, best: bool, client: int | None) -> dict[str, Tensor]:
    weights = _shared(saved, best=best) if client is None else _of_client(saved, card, client, best=best)
    try:
        check_finite(weights, "weights of a model")
    except MismatchError as error:
        fix = "The run diverged: train it anew with a lower optimizer.lr."
        raise refuse(str(saved.path), error.expected, error.got, fix) from error
    return weights


def merged(net: nn.Module) -> nn.Module:
    """The net with every part that can be merged in the form of the plain model: see the part's own `merged`."""
    for name, part in list(net.named_children()):
        setattr(net, name, merge() if callable(merge := getattr(part, "merged", None)) else merged(part))
    return net


def _untrained(config: Config, card: Mapping[str, Any], task: Task, experiment: Experiment | None) -> Net:
    size = {"channels": card["channels"], "side": card["side"], "dimensions": dimensions_of(card)}
    if experiment is not None:
        return initial_net(experiment, task, **size, clients=card["clients"])
    (model,) = map(build_option, config.nodes(["model"]))
    return create(model, **size, outputs=task.outputs, seed=int(config["seed"]))


def _of_client(saved: _Saved, card: Mapping[str, Any], client: int, *, best: bool) -> dict[str, Tensor]:
    """The shared weights that the client got last, and those that it keeps."""
    clients = int(card.get("clients", client + 1))
    if not 0 <= client < clients:
        raise refuse("client", f"0 to {clients - 1}, the clients of {saved.path}", client)
    if best:
        fix = "Leave out --best: what clients keep is that of the last round."
        raise refuse(str(saved.path), "the best round's model of one client", "the last round's alone", fix)
    last = saved.last
    shared = next((group["shared"] for ids, group in _groups(last).items() if client in ids), last.shared)
    return {**shared, **saved.memory(client).get(LOCAL, {})}


def _asking(saved: _Saved, experiment: Experiment, task: Task, net: Net, client: int) -> Client:
    """A client as methods see it when it predicts: with its memory and inbox, and no images."""
    last, copies = saved.last, FrozenCopies(net)
    group = next((group for ids, group in _groups(last).items() if client in ids), last.server)
    state = {n: m for n, m in saved.memory(client).items() if not n.startswith("@")}
    nothing = Examples(torch.zeros(0), torch.zeros(0))
    context = RoundContext(
        anchor=dict(net.state_dict()),
        train=nothing,
        inbox=group["inbox"],
        state=state,
        frozen_copy=copies.take,
        sweep=lambda net, images: iter(()),
        augment=lambda index, generator, strength: nothing.x,
        own_val=lambda: nothing,
    )
    return Client(
        id=client,
        round=last.round,
        rounds=experiment.rounds,
        seed=experiment.seed,
        lr=0.0,
        task=task,
        model=net,
        given=nothing,
        context=context,
    )


def _untouched(card: Mapping[str, Any], saved: _Saved, client: int) -> set[str]:
    """What a client that never trained still has as the run began: the part that stays at clients."""
    return set() if LOCAL in saved.memory(client) else set(card.get("local", ()))


def _shared(saved: _Saved, *, best: bool) -> dict[str, Tensor]:
    last = saved.last
    if len(groups := _groups(last)) > 1:
        fix = f"Choose a client, --client: {' | '.join('+'.join(map(str, ids)) for ids in groups)} share one each."
        raise refuse(str(saved.path), "a run with one global model", f"one with {len(groups)} models", fix)
    if groups and not best:
        return dict(next(iter(groups.values()))["shared"])
    if best:
        if (found := checkpoint.load_best(saved.checkpoints)) is not None:
            return found[1]
        fix = "Leave out --best for the last round; a best round needs dataset.val above 0 and client among the scopes."
        raise refuse(str(saved.path), "a run with a best round by validation", "one without validation", fix)
    if not last.shared:
        raise refuse(
            str(saved.path), "a run whose clients share weights", "one that shares none", "See strategy.local."
        )
    return dict(last.shared)


class _Saved:
    """What a run has saved of its training, each file read once."""

    def __init__(self, kept: RunDirectory) -> None:
        self.path, self.checkpoints = kept.path, kept.checkpoints
        self._memories: dict[int, dict[str, Any]] = {}

    @cached_property
    def last(self) -> Checkpoint:
        """The last checkpoint; `UserError` where there is none."""
        saved = checkpoint.load(self.checkpoints)
        if saved is None:
            fix = f"Run it: fedmed run {quote(f'resume={self.path}')}"
            raise refuse(str(self.path), "a run with a checkpoint", "none", fix)
        return saved

    def memory(self, client: int) -> dict[str, Any]:
        """What the client keeps."""
        if client not in self._memories:
            self._memories[client] = checkpoint.load_client(self.checkpoints, client)
        return self._memories[client]


def _groups(saved: Checkpoint) -> dict[tuple[int, ...], dict[str, Any]]:
    """Where models are split, those who share one, and what the server keeps for them; empty for one model."""
    return {tuple(map(int, label.split("+"))): group for label, group in saved.server.get("groups", {}).items()}
