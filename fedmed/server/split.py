"""Models of their own: a round in which clients are split among several models, each averaged and stepped by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from fedmed.method import Chain, Payload, Report, Server, WeightedMean
from fedmed.server.aggregation import Aggregation, owned
from fedmed.server.conditions import IDEAL, Conditions
from fedmed.server.optimizers import ServerOptimizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelGroup:
    """Clients that share a model.

    clients: their ids, in order. shared: the model's shared weights. inbox: what they get next round, by member.
    state: the server's memory for this group, by member.
    """

    clients: tuple[int, ...]
    shared: dict[str, Tensor]
    inbox: Mapping[str, Payload] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The clients' ids as text, as in 0+2+5."""
        return "+".join(map(str, self.clients))


class SplitAggregation:
    """One round's replies, in order of client number, on their way to a model for every group of clients.

    groups: as the round began, covering all clients. `server.shared` is the plain mean over all, for the record.
    All models of the round are held until the method has assigned them to clients.
    """

    def __init__(
        self,
        chain: Chain,
        server: Server,
        optimizer: ServerOptimizer,
        parameters: frozenset[str],
        conditions: Conditions = IDEAL,
        *,
        groups: Sequence[ModelGroup],
    ) -> None:
        self._chain, self._server, self._optimizer, self._parameters = chain, server, optimizer, parameters
        self._conditions = conditions
        self._groups = {client: group for group in groups for client in group.clients}
        self._mean = WeightedMean()
        self._reports: list[Report] = []
        self._payloads: list[Mapping[str, Payload]] = []

    def add(self, report: Report, payloads: Mapping[str, Payload]) -> None:
        """Takes one client's reply, of which all tensors may be lent: they are copied."""
        self._mean.add(report.weights, 1.0 if self._conditions.sampling.alike else float(report.examples))
        self._reports.append(replace(report, weights=owned(report.weights)))
        self._payloads.append({member: owned(payload) for member, payload in payloads.items()})

    def finish(self) -> tuple[Payload, list[ModelGroup]]:
        """The plain mean over all clients, for the record, and the groups after the round, by their lowest client."""
        server = self._server
        rows = self._chain.split(server, self._reports, self._payloads)
        if rows is None:
            rows = torch.ones(len(server.clients), len(self._reports), dtype=torch.float64)
        new = [group for clients, row in _alike(server.clients, rows) for group in self._after(clients, row)]
        return self._mean.result(), sorted(new, key=lambda group: group.clients)

    def _after(self, clients: tuple[int, ...], row: Tensor) -> Iterator[ModelGroup]:
        """The groups of clients with this row: one, or with a row of zeros what is left of those they were in."""
        if row.any():
            yield self._trained(clients, row.tolist())
            return
        for group in dict.fromkeys(self._groups[client] for client in clients):
            yield replace(group, clients=tuple(client for client in clients if self._groups[client] is group))

    def _trained(self, clients: tuple[int, ...], row: Sequence[float]) -> ModelGroup:
        """The group with the model that the reports make which count in the row."""
        before = self._groups[clients[0]]
        state = before.state if before.clients == clients else {}
        counted = [(report, k) for k, report in enumerate(self._reports) if row[k]]
        started = self._started([(self._groups[report.client], row[k]) for report, k in counted])
        server = replace(self._server, clients=clients, shared=started, state=state, common=self._server.state)
        conditions = self._conditions
        aggregation = Aggregation(self._chain, server, self._optimizer, self._parameters, conditions, len(counted))
        for report, k in counted:
            aggregation.add(report, self._payloads[k], share=row[k], lent=False)
        shared, inbox = aggregation.finish()
        return ModelGroup(clients=clients, shared=dict(shared), inbox=inbox, state=state)

    @staticmethod
    def _started(models: Sequence[tuple[ModelGroup, float]]) -> Payload:
        """What those who count started from: their one model, to the bit, or the mean of several by the row."""
        if len({group for group, _ in models}) == 1:
            return models[0][0].shared
        mean = WeightedMean()
        for group, share in models:
            mean.add(group.shared, share)
        return mean.result()


def _alike(clients: Sequence[int], rows: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """The clients of every distinct row, and the row."""
    found: dict[tuple[float, ...], list[int]] = {}
    for client, row in zip(clients, rows, strict=True):
        found.setdefault(tuple(row.tolist()), []).append(client)
    return ((tuple(members), torch.tensor(row, dtype=torch.float64)) for row, members in found.items())
