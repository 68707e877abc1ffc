"""PHN-HVVS: one model for every compromise between the clients, in a head that is generated for a ray.

Chen, Wu, Liu, He, Ong, Jin, Lao, Yu: Voronoi-grid-based Pareto Front Learning and Its Application to Collaborative
Federated Learning. ICML 2025, arXiv 2505.20648. The federated form is our own.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.errors import Fault, refuse
from fedmed.method import Batch, Client, Method, Payload, Report, Scope, Server, Setup
from fedmed.models.net import Net
from fedmed.strategies import _hypernet as hypernet
from fedmed.strategies import _pareto as pareto
from fedmed.strategies import _rays as grid

SHIFT = 0.05
"""Added to a weight before it is inverted into a place, so that a weight of 0 is a place of a finite loss."""

ABOVE = {"multiclass": 1.0, "multilabel": 1.0, "segmentation": 2.0}
"""How far above the loss of even guesses the reference lies: segmentation adds a Dice term of at most 1."""

TINY = 1e-12
"""Least loss by which others are scaled."""


@dataclass(frozen=True, kw_only=True)
class PHNHVVS(Method):
    """A shared body, and a head h(r; phi) for every ray r over the clients' losses (Section 4; ours for federations).

    Every client trains the generator phi on its own loss at the rays of a round; each searches its best ray on half of
    its validation images, or its training images where it has none, and predicts with it. Adam is advised; plain SGD
    for goal=linear.
    goal: hypervolume (rays cover the front, whatever its form), or linear (weighted sums: r_j is objective j's weight).
    rays: n, of a round (2 or more; fewer than objectives do not reach the corners).
    width: of the generator's two hidden layers (1 or more).
    distance: lambda, how strongly losses are drawn to their rays, each a place among losses (0 or more; 0: not).
    reference: loss that no objective should exceed (above 0; null: of even guesses, and 1 more), 2 with scale=first.
    warmup: rounds of weighted sums before (1 or more, fewer than the run has; nothing with goal=linear).
    search: steps of a client's search for its ray (1 or more).
    search_lr: length of these steps (above 0).
    scale: none, or first (losses of an objective count relative to those of the first round).
    groups: clients that are one objective together, as 0+1+2 ([]: each client is one); losses are averaged inside.
    """

    needs_val: ClassVar[bool] = True
    arguments: ClassVar[tuple[str, ...]] = ("preference",)

    goal: Literal["hypervolume", "linear"] = "hypervolume"
    rays: Annotated[int, Ge(2)] = 8
    width: Annotated[int, Ge(1)] = 32
    distance: Annotated[float, Ge(0)] = 0.5
    reference: Annotated[float, Gt(0)] | None = None
    warmup: Annotated[int, Ge(1)] = 3
    search: Annotated[int, Ge(1)] = 50
    search_lr: Annotated[float, Gt(0)] = 0.05
    scale: Literal["none", "first"] = "none"
    groups: tuple[str, ...] = ()

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        named = [] if "groups" in wrong or not self.groups else "+".join(self.groups).split("+")
        if not all(re.fullmatch(r"\d+", client) for client in named) or len(set(named)) < len(named):
            yield Fault("PHNHVVS.groups", "groups of clients, each in one, as in [0+1,2+3]", ", ".join(self.groups))

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses a single objective, a warm-up as long as the run, and a head that cannot be generated."""
        if not (faults := list(self._faults(setup))) and self.rays < (found := self._objectives(setup.clients)):
            text = f"phn_hvvs: {self.rays} rays do not reach the corners of {found} objectives: raise strategy.rays"
            warnings.warn(text, stacklevel=2)
        return faults

    def _faults(self, setup: Setup) -> Iterator[Fault]:
        if self._objectives(setup.clients) < 2:
            fix = "Ask for more clients, or name groups of fewer: one loss has no compromises."
            yield Fault("strategy.groups", "two objectives or more", "one of all clients", fix)
        for client in sorted({int(client) for group in self.groups for client in group.split("+")}):
            if client >= setup.clients:
                expected = f"clients 0 to {setup.clients - 1}"
                yield Fault("strategy.groups", expected, str(client), "Name clients that the federation has.")
        if self.goal == "hypervolume" and self.warmup >= setup.rounds:
            fix = "Lower it, raise rounds, or use goal=linear, which needs no warm-up."
            yield Fault("strategy.warmup", f"fewer than rounds={setup.rounds}", str(self.warmup), fix)
        yield from hypernet.head_faults(setup.net.head)

    def build(self, net: Net, setup: Setup) -> Net:
        net.head = hypernet.generated(net.head, self._objectives(setup.clients), self.width)
        return net

    def prepare(self, client: Client) -> None:
        images = client.own_val if len(client.own_val) else client.train
        losses = hypernet.ray_losses(client, "head", images)
        objectives = _layer(client.model).objectives
        found = grid.rays(objectives, self.rays, seed=client.seed, round=client.round)
        counts = client.inbox.get("coefficients", self._weights(found))
        most = client.inbox.get("places", torch.full_like(counts, inf))
        ray = hypernet.search(losses, objectives, steps=self.search, lr=self.search_lr)
        with torch.no_grad():
            uniform = torch.full_like(ray, 1 / objectives)
            measured = losses(torch.cat([found, uniform[None], ray[None]])).cpu().double()
        client.state["ray"] = ray
        own = self._objective(client.id)
        client.keep(_Round(found, counts[:, own], most[:, own], measured[:-2], measured[-2:], ray))

    def loss(self, client: Client, batch: Batch) -> Tensor:
        this = client.kept(_Round)
        images = Examples(batch.x, batch.y, batch.seen)
        losses = hypernet.losses_at(client.model.head, batch.features, this.rays, client.task, images)  # (n,)
        counts, most = this.counts.to(losses), this.most.to(losses)
        # (1/n) sum_k c[k, i] L_i(theta(r_k)); a loss that is pushed up is so until it is at its place, as c is of the
        # round before, and nothing else would end it
        return (counts * torch.where(counts < 0, torch.minimum(losses, most), losses)).mean()

    def report(self, client: Client) -> Payload:
        this, task = client.kept(_Round), client.task
        even = log(2 if task.kind == "multilabel" else task.classes)
        return {
            "losses": this.losses,
            "ray": this.ray,
            "personal": this.personal,
            "reference": torch.tensor(even + ABOVE[task.kind], dtype=torch.float64),
        }

    def audit(self, client: Client, truth: Tensor) -> Mapping[str, float]:
        """What the client's own ray is worth, on the images by which it was found.

        loss.uniform, loss.ray: of the received model at the uniform ray, and at the client's. share: how much of the
        client's ray, as weights, is its own objective's.
        """
        this = client.kept(_Round)
        uniform, own = this.personal.tolist()
        weight = self._weights(this.ray[None])[0, self._objective(client.id)]
        return {"loss.uniform": uniform, "loss.ray": own, "share": float(weight)}

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        ray = None if client is None or scope == "test" else client.state.get("ray")
        if ray is None or hypernet.generator_of(net.head) is None:
            return net(x)  # type: ignore[no-any-return]
        return hypernet.logits_at(net.head, net.features(x), ray[None])[0]

    def adjust(self, net: Net, client: Client | None, given: Mapping[str, Any]) -> Net:
        """The net with a plain head at the ray of `preference` (J,), weights of the objectives, or at the client's."""
        layer = _layer(net)
        if "preference" in given:
            weights = torch.tensor([_preference(given["preference"], layer.objectives)], dtype=torch.float64)
            ray = self._weights(weights)[0]
        elif client is None or "ray" not in client.state:
            return net
        else:
            ray = client.state["ray"]
        net.head = hypernet.with_layer(net.head, layer.plain(ray))
        return net

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        memory = server.state
        found = {str(report.client): report.payload for report in reports}
        known = {client: _home(payload) for client, payload in {**memory.get("reported", {}), **found}.items()}
        memory["reported"] = known
        if not known:
            return {}
        objectives = len(next(iter(known.values()))["ray"])
        memory["clients"] = torch.tensor([int(client) for client in known])
        memory["objective"] = torch.tensor([self._objective(int(client)) for client in known])
        memory["preferred"] = torch.stack([each["ray"] for each in known.values()])  # (M, J)
        memory["weights"] = self._weights(memory["preferred"])
        losses = self._losses(known, objectives)
        if losses.isnan().any():
            return {}
        if self.scale == "first":
            memory.setdefault("first", losses.mean(0).clamp(min=TINY))
            losses = losses / memory["first"].cpu()
        return self._directed(server, losses)

    def _directed(self, server: Server, losses: Tensor) -> Payload:
        """What losses (n, J) are to count in the next round; with what is recorded of them."""
        memory = server.state
        found = grid.rays(losses.shape[1], self.rays, seed=server.seed, round=server.round)
        ref = torch.full((losses.shape[1],), self._reference(memory["reported"]), dtype=torch.float64)
        front = torch.zeros(len(losses), dtype=torch.bool)
        front[pareto.fronts(losses)[0]] = True
        memory |= {"rays": found, "losses": losses, "front": front, "hypervolume": pareto.hypervolume(losses, ref)}
        if self.goal == "linear" or server.round < self.warmup:
            return {}
        memory["reference"] = pareto.moved(memory.get("reference", ref).cpu(), losses)
        counts = pareto.coefficients(losses, found, memory["reference"], self.distance, server.rng)
        memory["coefficients"] = counts
        unit = memory["first"].cpu() if self.scale == "first" else torch.ones_like(ref)
        return {"coefficients": counts / unit, "places": pareto.places(losses, found) * unit}

    def _losses(self, known: Mapping[str, Payload], objectives: int) -> Tensor:
        """L (n, J): means over the clients of each objective; NaN for one of which nobody has reported."""
        rows: list[list[Tensor]] = [[] for _ in range(objectives)]
        for client, found in known.items():
            rows[self._objective(int(client))].append(found["losses"])
        unknown = torch.full((self.rays,), torch.nan, dtype=torch.float64)
        return torch.stack([torch.stack(found).mean(0) if found else unknown for found in rows], dim=1)

    def _reference(self, known: Mapping[str, Payload]) -> float:
        if self.reference is not None:
            return self.reference
        return 2.0 if self.scale == "first" else float(next(iter(known.values()))["reference"])

    def _weights(self, given: Tensor) -> Tensor:
        """Rays (n, J) as weights of the objectives, or the other way about: r itself unless rays are places.

        r_j <- (1 / (r_j + .05)), then divided by their sum: where a loss may be large, its weight is small.
        """
        if self.goal == "linear" or not self.distance:
            return given
        inverse = 1 / (given + SHIFT)
        return inverse / inverse.sum(1, keepdim=True)

    def _objectives(self, clients: int) -> int:
        named = sum(len(group.split("+")) for group in self.groups)
        return len(self.groups) + clients - named

    def _objective(self, client: int) -> int:
        """The objective of a client: its group's, or after all groups one of its own."""
        named = {int(member): number for number, group in enumerate(self.groups) for member in group.split("+")}
        return named[client] if client in named else len(self.groups) + client - sum(other < client for other in named)


@dataclass(frozen=True, slots=True)
class _Round:
    """A client's round. rays: (n, J). counts: c (n,) of its own loss. most: (n,) up to which it may be pushed.

    losses: (n,) of the received model at the rays. personal: (2,) at the uniform ray, and at the client's own.
    ray: that one (J,).
    """

    rays: Tensor
    counts: Tensor
    most: Tensor
    losses: Tensor
    personal: Tensor
    ray: Tensor


def _preference(given: object, objectives: int) -> list[float]:
    """Weights of so many objectives, divided by their sum; raises `UserError` where they are none."""
    values = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    numbers = [float(value) for value in values if isinstance(value, int | float) and 0 <= value < inf]
    if len(values) != objectives or len(numbers) != objectives or not sum(numbers):
        fix = "Name one for every client, or group of clients, in order, as in preference=[.7,.3]."
        raise refuse("preference", f"{objectives} weights of at least 0, not all of them 0", given, fix)
    return [number / sum(numbers) for number in numbers]


def _layer(net: Net) -> hypernet.GeneratedHead:
    layer = hypernet.generator_of(net.head)
    assert layer is not None
    return layer


def _home(payload: Payload) -> dict[str, Tensor]:
    """The same on the processor, wherever the server keeps its memory."""
    return {name: tensor.detach().cpu() for name, tensor in payload.items()}
