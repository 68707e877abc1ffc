"""The contract of a method: one frozen dataclass in one file, both halves (what clients do, what the server does)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

import torch
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method.average import average_of
from fedmed.method.client import Batch, Client, Payload, Scope
from fedmed.method.server import Report, Server
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.options.base import Options
from fedmed.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run is made of, for a method to accept or refuse, and to build on, before anything runs.

    net: as it came in `check`; in `build` as the members before have left it.
    clients: how many the federation has. clients_per_round: how many of them are selected for a round, None for all.
    moves: whether the run's augmentation moves what an image shows, and masks with it.
    dimensions: of the images, 2, or 3 for volumes.
    """

    task: Task
    net: Net
    optimizer: Optimizer
    rounds: int
    clients: int
    clients_per_round: int | None = None
    moves: bool = False
    dimensions: int = 2


@dataclass(frozen=True, kw_only=True)
class Method(Options):
    """A federated method; left alone it is FedAvg. Fields are hyper-parameters, overrides are the idea.

    `relabels` is true for a method that calls `client.relabel`: in a chain its `prepare` runs first.
    `needs_val` is true for one that looks at `client.own_val`: half of each client's validation images, which then do
    not judge rounds.
    `arguments` names what a user may ask of the trained model, as in `fedmed predict DIR IMAGES preference=[.7,.3]`.
    `keeps_weights` is true for one whose `update` or `combine` reads `Report.weights`: all models of a round are then
    held at once.

    local: what stays on the client: globs over weight names (head.*), or @head, or @norm; [*] shares nothing.
    """

    relabels: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False
    needs_val: ClassVar[bool] = False
    arguments: ClassVar[tuple[str, ...]] = ()

    local: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        """Refuses a public method that is not a hook, as it would silently do nothing, and an option named as one."""
        super().__init_subclass__()
        for name in HOOKS:
            if name in vars(cls).get("__annotations__", {}) or not callable(vars(cls).get(name, len)):
                raise TypeError(f"{cls.__name__}.{name} is an option named as a hook of Method. Call it otherwise.")
        for name, value in vars(cls).items():
            method = callable(value) or isinstance(value, classmethod | staticmethod)
            if method and not name.startswith("_") and name not in HOOKS:
                close = get_close_matches(name, HOOKS, n=1, cutoff=0.3)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise TypeError(f"{cls.__name__}.{name} is not a hook of Method.{hint} (Hooks: {', '.join(HOOKS)}.)")

    @property
    def idle(self) -> frozenset[str]:
        """Hooks that this class overrides but its fields switch off, or needs_val: they count as not overridden."""
        return frozenset()

    def check(self, setup: Setup) -> Sequence[Fault]:
        """What this method cannot work with: a task, net or optimizer that it is not defined for."""
        return ()

    def build(self, net: Net, setup: Setup) -> Net:
        """The net with what this method adds to it or freezes, once, before anything runs; the same unless overridden.

        New weights are drawn from torch's own generator, which is seeded by (run seed, "build", member) here. What is
        added are parameters or buffers under names of their own, and what of it stays at the client is named in
        `local`. Parameters left with requires_grad=False stay what they are: never trained, never sent.
        """
        return net

    def prepare(self, client: Client) -> None:
        """Runs before local training: statistics, teachers, warm-up by `client.round`."""

    def transform(
        self, client: Client, x: Tensor, y: Tensor, seen: Tensor | None, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The batch as it goes into the net, after the run's augmentation; unchanged unless overridden.

        x: (B, C, H, W) as the net takes it. y, seen: labels, see `Examples`; `loss` gets what comes back. index: rows
        of the client's training images (B,) int64. Draw from client.rng only. In an evaluation, `predict` gets x.
        """
        return x, y, seen

    def loss(self, client: Client, batch: Batch) -> Tensor:
        """The supervised term, scalar; the task's loss over annotated entries unless overridden."""
        return client.task.loss(batch.logits, batch.y, batch.seen)

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        """What is added to the loss, scalar."""
        return 0.0

    def correct(self, client: Client) -> None:
        """Changes gradients after the backward pass, before clipping."""

    def report(self, client: Client) -> Payload:
        """What the client sends after training, besides its shared weights."""
        return {}

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """What the method's inner values are worth against the true labels of the training images, by name.

        Goes to the run's audit rows only; it must change nothing. truth: y as in `Examples`, every entry known.
        """
        return {}

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        """Logits for evaluation; `client` is None for the global model on the server."""
        return net(x)  # type: ignore[no-any-return]

    def adjust(self, net: Net, client: Client | None, given: Mapping[str, Any]) -> Net:
        """The trained net as it is used after the run, to predict and to export; the same unless overridden.

        client: whose, without images; None for the global model. given: what the user asks of it, by those names of
        `arguments` that were given: numbers, words or lists of them, for this hook to check. What only training needs
        can be taken out here, and what has been asked for built in.
        """
        return net

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor | None:
        """Who gets which model: how much each report counts for each of `server.clients`, (R, K) float64; None: one.

        Clients with equal rows share a model. The server half of every member of the chain runs once per distinct row,
        on the reports that count in it, with a memory and an inbox of its own, and `weights` are multiplied by the row.
        Clients with a row of zeros keep the model, the inbox and the memory that they had. Here, `server.shared` is the
        plain mean, for the record; in the other hooks the model that the reports started from (if several, their mean
        by the row), and `server.clients` those who share it; what is kept in `server.state` here is `server.common`.
        """
        return None

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        """How much each report counts in the mean, unnormalised (K,) float64; its training images unless overridden."""
        return torch.tensor([r.examples for r in reports], dtype=torch.float64)

    def average(self, server: Server, reports: Sequence[Report], weights: Tensor) -> Payload:
        """The average of the models, by `weights` (K,) unless overridden; all models of a round are then held at once.

        Entries that are whole numbers (BatchNorm's counters) are the largest among the reports, whatever is returned.
        """
        return average_of(reports, weights)

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        """The new shared weights from the old ones and the average: the same names, shapes and dtypes.

        `server.reports` are those that are in the average.

        Entries that are whole numbers (BatchNorm's counters) stay those of the average, whatever is returned.
        """
        return mean

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        """What every client finds in its inbox next round."""
        return {}


HOOKS: tuple[str, ...] = tuple(
    name for name, value in vars(Method).items() if callable(value) and not name.startswith("_")
)
