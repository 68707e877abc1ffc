"""How the server averages what comes back, and steps to the new shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from fedmed.checks import MismatchError, check_finite, check_state
from fedmed.errors import UserError, refuse
from fedmed.method import Chain, Payload, Report, Server, UnavailableWeights, WeightedMean, average_of
from fedmed.server.conditions import IDEAL, Conditions
from fedmed.server.optimizers import ServerOptimizer

OPTIMIZER = "@optimizer"
"""Name of the server optimizer's memory beside those of the members; a member's name never begins with @."""


class Aggregation:
    """One round's replies, in order of client number, on their way to new shared weights and the next inbox.

    Models are summed as they come; only a method that overrides `weights` or `average` has them held until all are in.

    selected: how many clients were to answer.
    """

    def __init__(
        self,
        chain: Chain,
        server: Server,
        optimizer: ServerOptimizer,
        parameters: frozenset[str],
        conditions: Conditions = IDEAL,
        selected: int = 0,
    ) -> None:
        self._chain, self._server, self._optimizer, self._parameters = chain, server, optimizer, parameters
        self._privacy, self._selected = conditions.privacy, selected
        self._alike = conditions.sampling.alike or conditions.privacy.bounded
        self._streams = not (chain.has("weights") or chain.has("average"))
        self._keeps = chain.keeps_weights
        self._mean = WeightedMean()
        self._shares: list[float] = []
        self._reports: list[Report] = []
        self._payloads: list[Mapping[str, Payload]] = []

    def add(self, report: Report, payloads: Mapping[str, Payload], *, share: float = 1.0, lent: bool = True) -> None:
        """Takes one client's reply.

        share: how much it counts here, beside what it counts as the method or its images say.
        lent: whether its weights may be overwritten once this returns, so that what is kept of them is copied.
        Raises `UserError` for payloads or weights that the run's privacy cannot cover.
        """
        uncovered = self._privacy.uncovered(self._server.shared, self._parameters)
        if faults := [*self._privacy.unhidden(payloads), *uncovered]:
            raise UserError(*faults)
        if self._streams:
            # Added while it is lent, so that the server holds one sum and not a model per client.
            weights = self._privacy.clip(report.weights, self._server.shared)
            self._mean.add(weights, share * self._plain(report))
        if not self._keeps:
            report = replace(report, weights=UnavailableWeights())
        elif lent:
            report = replace(report, weights=owned(report.weights))
        self._shares.append(share)
        self._reports.append(report)
        self._payloads.append({member: owned(payload) for member, payload in payloads.items()})

    def finish(self) -> tuple[Payload, dict[str, Payload]]:
        """The new shared weights, and what every client finds in its inbox next round, by member."""
        old, replies = self._server.shared, (self._reports, self._payloads)
        averaged = self._blurred() if self._streams else self._held_mean()
        mean = self._finite(averaged, "entries in the mean over clients")
        mean = self._chain.update(self._server, old, mean, *replies)
        inbox = self._chain.combine(self._server, *replies)
        new = self._step(old, mean)
        for name, memory in self._server.state.items():
            check_state(memory, f"round {self._server.round}: {name}, server.state", server=True)
        return new, {n: p for n, p in inbox.items() if p}

    def _plain(self, report: Report) -> float:
        """How much a client counts where no method weighs."""
        return 1.0 if self._alike else float(report.examples)

    def _held_mean(self) -> Payload:
        """The average of models that were held, with the methods' weights or another mean of theirs."""
        server, reports, payloads = self._server, self._reports, self._payloads
        if self._chain.has("weights"):
            weights = self._chain.weights(server, reports, payloads)
        else:
            weights = torch.tensor([self._plain(report) for report in reports], dtype=torch.float64)
        weights = weights.double().cpu() * torch.tensor(self._shares, dtype=torch.float64)
        if not weights.sum():
            raise refuse(f"round {server.round}, {self._chain}", "a client that counts", weights.tolist())
        if self._chain.has("average"):
            return self._chain.average(server, reports, payloads, weights)
        return average_of(reports, weights)

    def _step(self, old: Payload, mean: Payload) -> Payload:
        """The server optimizer's new weights; what it remembers goes to the server's state."""
        memory = self._server.state.get(OPTIMIZER, {})
        new = self._finite(
            self._optimizer.step(old, mean, self._parameters, memory), "entries in the weights after the server's step"
        )
        for moment, tensors in memory.items():
            self._finite(tensors, f"entries in the server optimizer's {moment}")
        if memory:
            self._server.state[OPTIMIZER] = memory
        return new

    def _finite(self, tensors: Payload, what: str) -> Payload:
        """The tensors; `UserError` where they are not finite, though all that came was."""
        try:
            check_finite(tensors, what, was=self._server.shared)
        except MismatchError as error:
            where = f"round {self._server.round}, aggregate, strategy {self._chain}"
            fix = "Lower server.lr or optimizer.lr, or set clip_norm; the last checkpoint stays as it is."
            raise refuse(where, error.expected, error.got, fix) from error
        return tensors

    def _blurred(self) -> Payload:
        """The mean, as private as the run promises; who did not answer then counts as one without change."""
        silent = self._selected - len(self._reports)
        if self._privacy.bounded and silent:
            self._mean.add(self._server.shared, float(silent))
        seed, round = self._server.seed, self._server.round
        return self._privacy.blur(self._mean.result(), self._selected, seed=seed, round=round)


def owned(tensors: Payload) -> Payload:
    """Copies: a worker's answer lies in memory that the answer after next is written to, a net's weights train on."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
