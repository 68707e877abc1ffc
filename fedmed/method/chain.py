"""`chain`: several methods as one, after Optax's chain for gradient transformations.

Laws (tested): FedAvg is neutral; chaining is associative; a neutral member changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from fedmed import rng
from fedmed.errors import Fault, UserError, near, refuse
from fedmed.method.average import largest
from fedmed.method.client import Batch, Client, Payload, Scope
from fedmed.method.contract import HOOKS, Method, Setup
from fedmed.method.hooks import (
    call_hook,
    checked_batch,
    checked_logits,
    checked_net,
    checked_numbers,
    checked_rows,
    checked_scalar,
    checked_tensors,
    checked_update,
    checked_weights,
)
from fedmed.method.server import Report, Server
from fedmed.models.net import Net
from fedmed.options.source import snake

SLOTS = ("loss", "weights", "average", "split", "predict")
"""Hooks that at most one member may override: their results cannot be added up."""


class Chain:
    """Methods by name, in order: each has a memory, inbox and random numbers of its own.

    Penalties add up; corrections and updates run in order; what stays local is the union.
    Raises `UserError` when two members override the same slot.
    """

    def __init__(self, members: Mapping[str, Method]) -> None:
        self.members = dict(members)
        self._having = {hook: [n for n, m in self.members.items() if _overrides(m, hook)] for hook in HOOKS}
        if clashes := [_clash(slot, self._having[slot]) for slot in SLOTS if len(self._having[slot]) > 1]:
            raise UserError(*clashes)
        self._having["prepare"].sort(key=lambda name: not self.members[name].relabels)
        self._slot = {slot: self._holder(slot) for slot in SLOTS}

    def __str__(self) -> str:
        return "+".join(self.members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and list(self.members.items()) == list(other.members.items())

    def __hash__(self) -> int:
        return hash(tuple(self.members.items()))

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.members.values()))})"

    def has(self, hook: str) -> bool:
        """Whether any member overrides the hook."""
        return bool(self._having[hook])

    def _holder(self, slot: str) -> tuple[str, Method]:
        """The member that overrides the slot; where none does, the contract's own hook under the first one's name."""
        names = self._having[slot]
        return (names[0], self.members[names[0]]) if names else (next(iter(self.members)), Method())

    def _each(self, hook: str) -> Iterator[tuple[str, Method]]:
        return ((name, self.members[name]) for name in self._having[hook])

    @property
    def local(self) -> tuple[str, ...]:
        """The patterns of all members that say what stays on the client."""
        return tuple(dict.fromkeys(pattern for m in self.members.values() for pattern in m.local))

    @property
    def keeps_weights(self) -> bool:
        """Whether a member needs every client's weights at the end of a round."""
        held = any(map(self.has, ("weights", "average", "split")))
        return held or any(method.keeps_weights for method in self.members.values())

    @property
    def needs_val(self) -> bool:
        """Whether a member judges by validation images of the client's own."""
        return any(method.needs_val and "needs_val" not in method.idle for method in self.members.values())

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of what a user may ask of the trained model, of all members."""
        return tuple(name for _, method in self._each("adjust") for name in method.arguments)

    def check(self, setup: Setup) -> list[Fault]:
        return [fault for name, method in self._each("check") for fault in call_hook(name, method.check, setup)]

    def build(self, net: Net, setup: Setup, *, seed: int) -> Net:
        """The net with what all members add or freeze, in order; new weights are equal for equal seeds.

        Raises `UserError` for what is no `Net`.
        """
        for name, method in self._each("build"):
            with rng.seeded(seed, "build", name):
                found = call_hook(name, method.build, net, replace(setup, net=net))
            net = checked_net(found, f"{name}.build")
        return net

    def prepare(self, client: Client) -> None:
        for name, method in self._each("prepare"):
            call_hook(name, method.prepare, client.member(name))

    def transform(
        self, client: Client, x: Tensor, y: Tensor, seen: Tensor | None, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The batch as all members leave it, in order: images (B, C, H, W), labels, and which entries count."""
        for name, method in self._each("transform"):
            found = call_hook(name, method.transform, client.member(name), x, y, seen, index)
            x, y, seen = checked_batch(found, (x, y, seen), _at(name, "transform", client))
        return x, y, seen

    def loss(self, client: Client, batch: Batch) -> Tensor:
        """The supervised term plus every penalty, scalar."""
        name, holder = self._slot["loss"]
        total = checked_scalar(call_hook(name, holder.loss, client.member(name), batch), _at(name, "loss", client))
        for name, method in self._each("penalty"):
            term = call_hook(name, method.penalty, client.member(name), batch)
            total = total + checked_scalar(term, _at(name, "penalty", client))
        if not isinstance(total, Tensor) or not total.requires_grad:
            got = "one without a gradient" if isinstance(total, Tensor) else type(total).__name__
            raise refuse(_at(name, "loss", client), "a tensor with a gradient", got, "Compute it from batch.logits.")
        return total

    def correct(self, client: Client) -> None:
        for name, method in self._each("correct"):
            call_hook(name, method.correct, client.member(name))

    def report(self, client: Client) -> dict[str, Payload]:
        """What each member sends, by its name."""
        return {
            name: checked_tensors(call_hook(name, method.report, client.member(name)), _at(name, "report", client))
            for name, method in self._each("report")
        }

    def audit(self, client: Client, truth: Tensor) -> dict[str, float]:
        """What each member's inner values are worth, as `<member>.<name>`."""
        found = {
            n: checked_numbers(call_hook(n, method.audit, client.member(n), truth), _at(n, "audit", client))
            for n, method in self._each("audit")
        }
        return {f"{name}.{key}": value for name, values in found.items() for key, value in values.items()}

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        name, holder = self._slot["predict"]
        found = call_hook(name, holder.predict, net, x, scope, None if client is None else client.member(name))
        return checked_logits(found, len(x), f"{name}.predict, {scope}")

    def adjust(self, net: Net, client: Client | None, given: Mapping[str, Any]) -> Net:
        """The trained net as all members have it used, in order, each with those of the user's arguments that it takes.

        Raises `UserError` for an argument that no member takes, and for what is no `Net`.
        """
        check_arguments(given, self.arguments, str(self))
        for name, method in self._each("adjust"):
            own = {argument: value for argument, value in given.items() if argument in method.arguments}
            found = call_hook(name, method.adjust, net, None if client is None else client.member(name), own)
            net = checked_net(found, f"{name}.adjust")
        return net

    def weights(self, server: Server, reports: Sequence[Report], payloads: Sequence[Mapping[str, Payload]]) -> Tensor:
        name, holder = self._slot["weights"]
        given = call_hook(name, holder.weights, server.member(name), _of(name, reports, payloads))
        return checked_weights(given, len(reports), _in(name, "weights", server))

    def average(
        self, server: Server, reports: Sequence[Report], payloads: Sequence[Mapping[str, Payload]], weights: Tensor
    ) -> Payload:
        """The average of the reports' models, by `weights` (K,) unless a member has another."""
        name, holder = self._slot["average"]
        new = call_hook(name, holder.average, server.member(name), _of(name, reports, payloads), weights)
        return checked_update(new, {**server.shared, **largest(reports)}, _in(name, "average", server))

    def split(
        self, server: Server, reports: Sequence[Report], payloads: Sequence[Mapping[str, Payload]]
    ) -> Tensor | None:
        """How much each report counts for each client (R, K) float64; None where all share one model."""
        name, holder = self._slot["split"]
        given = call_hook(name, holder.split, server.member(name), _of(name, reports, payloads))
        if given is None:
            return None
        return checked_rows(given, len(server.clients), len(reports), _in(name, "split", server))

    def update(
        self,
        server: Server,
        old: Payload,
        mean: Payload,
        reports: Sequence[Report] = (),
        payloads: Sequence[Mapping[str, Payload]] = (),
    ) -> Payload:
        """The new shared weights; `reports` are those in the mean, with `payloads` by member."""
        for name, method in self._each("update"):
            seen = replace(server.member(name), reports=tuple(_of(name, reports, payloads)))
            new = call_hook(name, method.update, seen, old, mean)
            mean = checked_update(new, mean, _in(name, "update", server))
        return mean

    def combine(
        self, server: Server, reports: Sequence[Report], payloads: Sequence[Mapping[str, Payload]]
    ) -> dict[str, Payload]:
        """What each member sends down next round, by its name."""
        return {
            n: checked_tensors(
                call_hook(n, m.combine, server.member(n), _of(n, reports, payloads)), _in(n, "combine", server)
            )
            for n, m in self._each("combine")
        }


def check_arguments(given: Iterable[str], known: Sequence[str], strategy: str) -> None:
    """Raises `UserError` for names of arguments that the strategy's trained model does not take. known: those it does.

    strategy: by its name.
    """
    fix = "Leave it out: this model is one, and leaves nothing to choose."
    expected, got = f"an argument that a model of {strategy} takes", "one that it does not know"
    unknown = [name for name in given if name not in known]
    if faults := [Fault(name, expected, got, near(name, known) if known else fix) for name in unknown]:
        raise UserError(*faults)


def chain(*methods: Method | Chain) -> Chain:
    """One method of several; a member is named by the file that defines it.

    Raises `UserError` when a method is given twice, or when two override the same slot.
    """
    members: dict[str, Method] = {}
    for given in methods or (Method(),):
        for name, method in given.members.items() if isinstance(given, Chain) else [(name_of(given), given)]:
            if name in members:
                raise UserError(Fault("strategy", "every method once", f"{name} twice", "Leave one of them out."))
            members[name] = method
    return Chain(members)


def name_of(method: Method) -> str:
    """The name of the file that defines the method: `fedprox` for strategies/fedprox.py.

    A file that is run, or a notebook, may define several: there a method is named by its class, as `my_method`.
    """
    module = type(method).__module__
    return snake(type(method).__name__) if module == "__main__" else module.rpartition(".")[2]


def _overrides(method: Method, hook: str) -> bool:
    return getattr(type(method), hook) is not getattr(Method, hook) and hook not in method.idle


def _clash(slot: str, names: Sequence[str]) -> Fault:
    both = " and ".join(names)
    return Fault("strategy", f"at most one method that overrides {slot}", both, "Run them apart, or leave one out.")


def _of(name: str, reports: Sequence[Report], payloads: Sequence[Mapping[str, Payload]]) -> list[Report]:
    return [replace(r, payload=p.get(name, {})) for r, p in zip(reports, payloads, strict=True)]


def _at(name: str, hook: str, client: Client) -> str:
    return f"{name}.{hook}, client {client.id}, round {client.round}"


def _in(name: str, hook: str, server: Server) -> str:
    return f"{name}.{hook}, round {server.round}"
