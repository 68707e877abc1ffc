"""Client-level differential privacy: nobody can tell from the weights whether a client took part, or with which images.

McMahan, Ramage, Talwar, Zhang: Learning Differentially Private Recurrent Language Models (DP-FedAvg). ICLR 2018, arXiv
1710.06963. The server is trusted: it sees each update, clips it and adds the noise. Privacy spent: Mironov: Rényi
Differential Privacy. CSF 2017, arXiv 1702.07476; sampled without replacement: Wang, Balle, Kasiviswanathan: Subsampled
Rényi Differential Privacy. AISTATS 2019, arXiv 1808.00087; as Flower's accountant counts it.

It shows what privacy costs, and is no more than a simulation: noise comes from the run's seed like everything random,
and what a run reports besides its weights (losses, metrics, who answered when) is not covered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, NamedTuple

import torch
from annotated_types import Gt, Interval

from fedmed import rng
from fedmed.errors import Fault
from fedmed.method import Chain, Payload, chain
from fedmed.options.base import Options

UNCOVERED = {
    "weights": "weighs clients itself, so that one may count without bound",
    "average": "averages clients in a way of its own, so that one may count without bound",
    "split": "gives clients models of their own, each with fewer clients behind it than the noise is for",
    "combine": "hands on what clients report, which the noise does not cover",
}
"""Hooks of a method that noise on the mean cannot cover, and why."""


class PrivacySpent(NamedTuple):
    """The privacy that a run has spent: (epsilon, delta)-differential privacy at the level of clients."""

    epsilon: float
    delta: float


@dataclass(frozen=True, kw_only=True)
class Privacy(Options, ABC):
    """What is done to clients' updates so that the shared weights tell little of any one client."""

    @property
    def bounded(self) -> bool:
        """Whether clients count alike, and those that do not answer as one without change."""
        return False

    @abstractmethod
    def clip(self, weights: Payload, old: Payload) -> Payload:
        """A client's weights after its update has been bounded."""

    @abstractmethod
    def blur(self, mean: Payload, clients: int, *, seed: int, round: int) -> Payload:
        """The mean over so many clients, with noise."""

    @abstractmethod
    def spent(self, rounds: int, *, clients: int, per_round: int | None) -> PrivacySpent | None:
        """What so many rounds have cost; None where nothing is promised.

        per_round: how many clients are drawn for a round, all as likely; None where they are not drawn like this.
        """

    def faults(self, methods: Chain) -> Iterator[Fault]:
        """What the promise cannot be kept with."""
        yield from ()

    def unhidden(self, payloads: Mapping[str, Payload]) -> Iterator[Fault]:
        """What a client sent besides its weights, by member, that must not be sent."""
        yield from ()

    def uncovered(self, shared: Payload, parameters: frozenset[str]) -> Iterator[Fault]:
        """Shared entries that noise cannot be added to."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class NonePrivacy(Privacy):
    """Updates are averaged as they are: no clipping, no noise, no promise."""

    def clip(self, weights: Payload, old: Payload) -> Payload:
        return weights

    def blur(self, mean: Payload, clients: int, *, seed: int, round: int) -> Payload:
        return mean

    def spent(self, rounds: int, *, clients: int, per_round: int | None) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class GaussianPrivacy(Privacy):
    """DP-FedAvg: updates clipped to one length, averaged alike over those selected, with Gaussian noise on the mean.

    clip_norm: longest update, as an L2 norm over all weights (> 0).
    noise_multiplier: standard deviation of the noise on the sum of updates, over clip_norm (> 0; more hides more).
    delta: at which epsilon is computed (0 to 1, both excluded; well below one over the number of clients).
    """

    clip_norm: Annotated[float, Gt(0)] = 1.0
    noise_multiplier: Annotated[float, Gt(0)] = 1.0
    delta: Annotated[float, Interval(gt=0, lt=1)] = 0.00001

    @property
    def bounded(self) -> bool:
        return True

    def clip(self, weights: Payload, old: Payload) -> Payload:
        # w_t + (w_k - w_t) min(1, S / ||w_k - w_t||)
        update = {name: weight - old[name] for name, weight in weights.items()}
        # in float64: a float32 sum of a million squares rounds, and the bound must hold whatever the net's size
        length = sqrt(sum(float(u.double().square().sum()) for u in update.values()))
        scale = min(1.0, self.clip_norm / length) if length else 1.0
        return {name: old[name] + scale * u for name, u in update.items()}

    def blur(self, mean: Payload, clients: int, *, seed: int, round: int) -> Payload:
        # mean + N(0, (z S / K)^2)
        # drawn on the processor, so that the noise is the same wherever the mean lies
        draws, std = rng.generator(seed, "privacy", round), self.noise_multiplier * self.clip_norm / clients
        return {n: t + std * torch.randn(t.shape, generator=draws, dtype=t.dtype).to(t.device) for n, t in mean.items()}

    def spent(self, rounds: int, *, clients: int, per_round: int | None) -> PrivacySpent:
        from flwr.serverapp import (
            GaussianPrivacyEvent,
            NeighboringRelation,
            PrivacyConfig,
            RdpAccountant,
            SamplingMethod,
        )

        # a sample of fixed size hides a client by another in its place: the sum then moves by up to 2 S, not S
        drawn = per_round is not None and per_round < clients
        model = PrivacyConfig(
            target_delta=self.delta,
            population_size=clients,
            neighboring_relation=NeighboringRelation["REPLACE_ONE" if drawn else "ADD_OR_REMOVE_ONE"],
            sampling_method=SamplingMethod["WITHOUT_REPLACEMENT" if drawn else "NO_AMPLIFICATION"],
        )
        noise, size = self.noise_multiplier / (2 if drawn else 1), per_round if drawn and per_round else clients
        accountant = RdpAccountant(model)
        event = GaussianPrivacyEvent(noise_multiplier=noise, sample_size=size, population_size=clients)
        accountant.compose(event, rounds)
        return PrivacySpent(accountant.get_epsilon(self.delta), self.delta)

    def faults(self, methods: Chain) -> Iterator[Fault]:
        try:
            self.spent(1, clients=1, per_round=None)
        except ImportError as error:
            fix = "Install them: pip install 'fedmed-sim[dp]'."
            yield Fault("privacy=gaussian", "Flower's privacy accountant and dp-accounting", str(error), fix)
        for name, method in methods.members.items():
            if method.keeps_weights:
                yield _uncovered_method(name, "looks at models of single clients on the server")
            for hook, why in UNCOVERED.items():
                if chain(method).has(hook):
                    yield _uncovered_method(name, why)

    def unhidden(self, payloads: Mapping[str, Payload]) -> Iterator[Fault]:
        for name in (name for name, payload in payloads.items() if payload):
            yield _uncovered_method(name, "sends more than its weights")

    def uncovered(self, shared: Payload, parameters: frozenset[str]) -> Iterator[Fault]:
        if outside := sorted(shared.keys() - parameters):
            got = f"running statistics, counters or a method's own buffers too ({outside[0]}, ...)"
            fix = "Choose a model without, keep them at the clients (strategy=...+fedbn), or set privacy=none."
            yield Fault("privacy=gaussian", "shared weights that training steps, and nothing else", got, fix)


def _uncovered_method(name: str, why: str) -> Fault:
    return Fault("privacy=gaussian", "methods that it covers", f"{name}, which {why}", "Set privacy=none.")
