"""The contract of a method: one frozen dataclass in one file, both halves (what clients do, what the server does)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

import torch
from torch import Tensor

from fedmed.errors import Fault
from fedmed.method.client import Batch, Client, Payload, Scope
from fedmed.method.server import Report, Server
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.options.base import Options
from fedmed.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run is made of, for a method to accept or refuse before anything runs.

    moves: whether the run's augmentation moves what an image shows, and masks with it.
    """

    task: Task
    net: Net
    optimizer: Optimizer
    rounds: int
    clients: int
    moves: bool = False


@dataclass(frozen=True, kw_only=True)
class Method(Options):
    """A federated method; left alone it is FedAvg. Fields are hyper-parameters, overrides are the idea.

    `relabels` is true for a method that calls `client.relabel`: in a chain its `prepare` runs first.
    `keeps_weights` is true for one whose `combine` reads `Report.weights`: all models of a round are held at once.

    local: what stays on the client: globs over weight names (head.*), or @head, or @norm; [*] shares nothing.
    """

    relabels: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

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
        """Hooks that this class overrides but its fields switch off: they count as not overridden."""
        return frozenset()

    def check(self, setup: Setup) -> Sequence[Fault]:
        """What this method cannot work with: a task, net or optimizer that it is not defined for."""
        return ()

    def prepare(self, client: Client) -> None:
        """Runs before local training: statistics, teachers, warm-up by `client.round`."""

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

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        """How much each report counts in the mean, unnormalised (K,) float64; its training images unless overridden."""
        return torch.tensor([r.examples for r in reports], dtype=torch.float64)

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        """The new shared weights from the old ones and the average: the same names, shapes and dtypes.

        Entries that are whole numbers (BatchNorm's counters) stay those of the average, whatever is returned.
        """
        return mean

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        """What every client finds in its inbox next round."""
        return {}


HOOKS: tuple[str, ...] = tuple(
    name for name, value in vars(Method).items() if callable(value) and not name.startswith("_")
)
