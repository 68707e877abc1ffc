"""FedEgoists: coalitions of clients that gain from one another and do not compete, each a federation of its own.

Chen, Wu, Tang, He, Ong, Liu, Lao, Yu: Free-Rider and Conflict Aware Collaboration Formation for Cross-Silo Federated
Learning. NeurIPS 2024, arXiv 2410.19321.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from fedmed import rng
from fedmed.errors import Fault
from fedmed.method import Batch, Client, Method, Payload, Report, Server, Setup
from fedmed.models.net import Net
from fedmed.strategies import _benefits as benefits
from fedmed.strategies import _coalitions as coalitions
from fedmed.strategies import _preferred_partners as partners

THRESHOLDS = {"transfer": 0.02, "cosine": 0.0, "file": 0.0, "oracle": 0.0}
"""Gains above which client i counts as gaining from client j, by how they are found; 1 / N where not said."""

MEASURED = ("transfer", "hypernet")
"""Benefits that clients measure, in the round after the warm-up, on validation images of their own."""


@dataclass(frozen=True, kw_only=True)
class FedEgoists(Method):
    """Says who trains with whom: a warm-up tells who gains from whom, then every coalition is a federation (Section 4).

    A coalition holds no two rivals, and everybody in it gives to a member and takes from one; who fits nowhere trains
    alone. Methods chained with it run in every coalition for itself.
    warmup: rounds before coalitions are formed (>= 1, fewer than the run has; one more for transfer and hypernet).
    start: everyone trains alone in the warm-up (no model reaches a rival before there are coalitions), or together
       (neutral: FedAvg among all).
    benefit: how it is found what i gains from j: transfer (by how much of itself the loss on i's own validation images
       falls when its model is averaged with j's), cosine (of what they have learnt since the start), hypernet (j's
       share of the best ray of i in a head that is generated for weights of all clients' losses, trained beside the net
       in the warm-up), file (path), or oracle (1 within groups, neutral with one group of all).
    threshold: gain above which i gains from j (>= 0; null: 0.02 for transfer, 1 / N for hypernet, else 0; large:
       everyone stays alone).
    rivals: pairs of clients that compete, as 0-4 ([]: none).
    rival_share: probability that a pair competes, drawn from the run's seed (0 to 1; 0: none).
    reform: rounds after which gains are measured and coalitions formed anew (>= 0; 0: never).
    formation: merge (coalitions that could merge to the gain of a member do, until none can) or core (up to 10 clients:
       no set of clients would gain by leaving; where there is no such partition, as merge).
    path: CSV file of gains for benefit=file, a row of N numbers for every giver (null: none).
    groups: the true groups of a simulated world, as 0+1+2, for benefit=oracle and to compare with ([]: unknown).
    """

    needs_val: ClassVar[bool] = True

    warmup: Annotated[int, Ge(1)] = 5
    start: Literal["alone", "together"] = "alone"
    benefit: Literal["transfer", "cosine", "hypernet", "file", "oracle"] = "transfer"
    threshold: Annotated[float, Ge(0)] | None = None
    rivals: tuple[str, ...] = ()
    rival_share: Annotated[float, Interval(ge=0, le=1)] = 0.0
    reform: Annotated[int, Ge(0)] = 0
    formation: Literal["merge", "core"] = "merge"
    path: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def idle(self) -> frozenset[str]:
        measuring = () if self.benefit in MEASURED else ("needs_val", "prepare", "report", "combine")
        return frozenset({*measuring, *(() if self.benefit == "hypernet" else ("build", "penalty", "adjust"))})

    def _conflicts(self, wrong: frozenset[str]) -> Iterable[Fault]:
        """Pairs and groups that are none, and options that do not go together."""
        for pair in self.rivals if "rivals" not in wrong else ():
            if not re.fullmatch(r"\d+-\d+", pair) or len(set(map(int, pair.split("-")))) < 2:
                yield Fault("FedEgoists.rivals", "pairs of two clients, as in [0-4,1-2]", pair)
        named = [] if "groups" in wrong else "+".join(self.groups).split("+") if self.groups else []
        if not all(re.fullmatch(r"\d+", client) for client in named) or len(set(named)) < len(named):
            yield Fault("FedEgoists.groups", "groups of clients, each in one, as in [0+1,2+3]", ", ".join(self.groups))
        if self.rivals and self.rival_share:
            fix = "Leave one of them out."
            yield Fault("FedEgoists.rival_share", "0 where rivals are named", str(self.rival_share), fix)
        if (self.benefit == "file") != (self.path is not None):
            expected = "a CSV file of gains for benefit=file" if self.path is None else f"null for {self.benefit}"
            yield Fault("FedEgoists.path", expected, str(self.path), "Set strategy.benefit and strategy.path together.")
        if self.benefit == "oracle" and not self.groups:
            fix = "Name the groups of the simulated world, as in strategy.groups=[0+1,2+3]."
            yield Fault("FedEgoists.groups", "groups for benefit=oracle", "none", fix)

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses a warm-up as long as the run, clients that do not exist, and what cannot be measured or formed."""
        if not (faults := list(self._faults(setup))):
            n = setup.clients
            if n == 1 or (self._rivals(n, 0) | np.eye(n, dtype=bool)).all():
                warnings.warn("fedegoists: every pair of clients competes, so that all train alone", stacklevel=2)
            elif self.start == "together" and (self.rivals or self.rival_share):
                warnings.warn("fedegoists: with start=together models reach rivals in the warm-up", stacklevel=2)
        return faults

    def _faults(self, setup: Setup) -> Iterator[Fault]:
        if self.benefit == "hypernet":
            yield from partners.faults(setup.net, start=self.start, reform=self.reform)
        if self.warmup >= setup.rounds:
            fix = "Lower it, or raise rounds: coalitions are formed after the warm-up, and train in the rounds left."
            yield Fault("strategy.warmup", f"fewer than rounds={setup.rounds}", str(self.warmup), fix)
        for name, given in (("rivals", self.rivals), ("groups", self.groups)):
            for client in sorted({int(client) for text in given for client in re.split(r"[-+]", text)}):
                if client >= setup.clients:
                    expected = f"clients 0 to {setup.clients - 1}"
                    yield Fault(f"strategy.{name}", expected, str(client), "Name clients that the federation has.")
        if self.formation == "core" and setup.clients > coalitions.CORE_CLIENTS:
            expected = f"at most {coalitions.CORE_CLIENTS} clients for core"
            yield Fault("strategy.formation", expected, str(setup.clients), "Use strategy.formation=merge.")
        if self.path is not None:
            yield from benefits.file_faults(self.path, setup.clients)

    def build(self, net: Net, setup: Setup) -> Net:
        return partners.build(net, setup)

    def adjust(self, net: Net, client: Client | None, given: Mapping[str, object]) -> Net:
        return partners.taken_out(net)

    def prepare(self, client: Client) -> None:
        if self.benefit == "hypernet":
            if self._trains_hypernet(client):
                partners.begin(client)
            if client.inbox:
                client.keep(_Measured(dict(enumerate(partners.ray(client).tolist()))))
        elif models := benefits.unpacked(client.inbox):
            client.keep(_Measured(benefits.transfer(client, models)))

    def penalty(self, client: Client, batch: Batch) -> Tensor | float:
        return partners.loss(client, batch) if self._trains_hypernet(client) else 0.0

    def _trains_hypernet(self, client: Client) -> bool:
        return client.round <= self.warmup or bool(client.inbox)

    def report(self, client: Client) -> Payload:
        if not client.inbox:
            return {}
        gains = client.kept(_Measured).gains
        return {
            "giver": torch.tensor([*gains], dtype=torch.int64),
            "gain": torch.tensor([*gains.values()], dtype=torch.float64),
        }

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor | None:
        self._note(server, reports)
        if self._due(server):
            self._form(server)
        clients = torch.tensor(server.clients)
        if "partition" in server.state:
            label: Tensor = server.state["partition"].cpu()
        elif self.start == "together":
            return None
        else:
            label = torch.arange(_size(server))
        sent = torch.tensor([report.client for report in reports])
        rows: Tensor = label[clients][:, None] == label[sent]  # (R, K)
        return rows.double()

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        """The models that these clients are to try beside their own, while gains are measured."""
        common = server.common
        if not common.get("measuring"):
            return {}
        if self.benefit == "hypernet":
            return {"search": torch.tensor(1)}
        members = [*server.clients]
        models = {int(client): model for client, model in common["models"].items()}
        if len(members) == 1:
            models.pop(members[0], None)
        if "partition" in common or self.start == "alone":
            rivals = self._rivals(max([*models, *members]) + 1, server.seed)
            models = {j: model for j, model in models.items() if not rivals[j, members].any()}
        return benefits.packed(models)

    def _note(self, server: Server, reports: Sequence[Report]) -> None:
        """Writes down who has answered, what measuring takes of it, and whether there is to be measured."""
        memory, began = server.state, self._begins(server)
        memory["measuring"] = bool(self.benefit in MEASURED and began is not None and server.round >= began)
        if began is None:
            return
        if self.benefit == "cosine" and "initial" not in memory:
            memory["initial"] = {n: tensor.clone() for n, tensor in server.shared.items() if n in server.parameters}
        for report in reports:
            memory.setdefault("answered", {})[str(report.client)] = server.round
            if self.benefit in ("transfer", "cosine"):
                memory.setdefault("models", {})[str(report.client)] = dict(report.weights)
            if "gain" in report.payload and server.round > began:
                memory.setdefault("gains", {})[str(report.client)] = dict(report.payload)

    def _begins(self, server: Server) -> int | None:
        """The round from which on gains are measured; None where they never will be again."""
        formed = server.state.get("formed")
        return self.warmup if formed is None else formed + self.reform if self.reform else None

    def _due(self, server: Server) -> bool:
        """Whether coalitions are formed in this round: all clients have answered, or have had as long again for it."""
        began = self._begins(server)
        if began is None or server.round < began:
            return False
        have = server.state.get("gains" if self.benefit in MEASURED else "answered", {})
        return server.round >= began + self.warmup or all(str(client) in have for client in server.clients)

    def _form(self, server: Server) -> None:
        """W -> E -> partition, with what is recorded of them; what was kept for measuring is let go."""
        memory, n = server.state, _size(server)
        rivals, w = self._rivals(n, server.seed), self._gains(memory, n)
        w[rivals] = 0
        np.fill_diagonal(w, 0)
        threshold = THRESHOLDS.get(self.benefit, 1 / n) if self.threshold is None else self.threshold
        edges = w > threshold
        gains = np.where(edges, w, 0.0)
        partition = coalitions.core(gains, rivals) if self.formation == "core" else None
        if partition is None:
            if self.formation == "core":
                warnings.warn("fedegoists: every partition is blocked by some clients: coalitions merge", stacklevel=2)
            partition = coalitions.merged(edges, rivals)
        label = coalitions.labels_of(partition)
        for name, array in {"benefit": w, "edges": edges, "rivals": rivals, "partition": label}.items():
            memory[name] = torch.from_numpy(array)
        memory["formed"], memory["measuring"] = server.round, False
        memory["audit"] = benefits.audit(partition, gains, rivals, w - threshold, self._truth(n))
        memory["utility"] = torch.from_numpy(coalitions.utilities(partition, gains))
        for name in ("models", "gains", "answered"):
            memory.pop(name, None)

    def _gains(self, memory: Mapping[str, object], n: int) -> coalitions.Gains:
        """W (n, n): [j, i] is what i gains from j, as the benefit has it; 0 for clients that never answered."""
        if self.benefit == "file":
            w = benefits.read_file(str(self.path))
        elif self.benefit == "oracle":
            truth = self._truth(n)
            w = (truth[:, None] == truth).astype(float)
        elif self.benefit == "cosine":
            return benefits.cosines(memory.get("models", {}), memory["initial"], n)  # type: ignore[arg-type]
        else:
            return benefits.reported(memory.get("gains", {}), n)  # type: ignore[arg-type]
        silent = [client for client in range(n) if str(client) not in memory.get("answered", {})]  # type: ignore[operator]
        w[silent] = w[:, silent] = 0
        return w

    def _rivals(self, n: int, seed: int) -> coalitions.Edges:
        """Who competes with whom, (n, n), of more clients than the rivals where they are named."""
        found = np.zeros((n, n), bool)
        for pair in self.rivals:
            i, j = map(int, pair.split("-"))
            if max(i, j) < n:
                found[i, j] = found[j, i] = True
        if self.rival_share:
            # row by row, so that a federation of fewer clients has the same rivals among them
            for i in range(n):
                found[i, :i] = rng.numpy_generator(seed, "rivals", i).random(i) < self.rival_share
            found |= found.T
        return found

    def _truth(self, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The group of every client (n,); those in none are each in one of their own."""
        label = np.arange(n) + len(self.groups)
        for number, group in enumerate(self.groups):
            label[[int(client) for client in group.split("+")]] = number
        return label


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a client gains from others, by their numbers."""

    gains: Mapping[int, float]


def _size(server: Server) -> int:
    return max(server.clients) + 1
