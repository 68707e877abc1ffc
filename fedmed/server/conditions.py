"""Under which conditions a federation works; a method never knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fedmed.compression import Compression, NoneCompression
from fedmed.errors import Fault
from fedmed.method import Chain
from fedmed.server.failures import Failures, NoneFailures
from fedmed.server.privacy import NonePrivacy, Privacy, PrivacySpent
from fedmed.server.sampling import BySizeSampling, Sampling, UniformSampling
from fedmed.server.system import NoneSystem, System


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What lies between the server and the clients, whatever the method; each part is an option group of its own.

    sampling: who is selected.
    failures: who drops out.
    system: how long it takes, and how long the server waits.
    compression: how the weights come up; the same as in the `Training` of the clients.
    privacy: what is done to hide each client.
    """

    sampling: Sampling = field(default_factory=UniformSampling)
    failures: Failures = field(default_factory=NoneFailures)
    system: System = field(default_factory=NoneSystem)
    compression: Compression = field(default_factory=NoneCompression)
    privacy: Privacy = field(default_factory=NonePrivacy)

    def faults(self, methods: Chain) -> Iterator[Fault]:
        """What cannot go together with the methods, or with one another."""
        yield from self.privacy.faults(methods)
        if self.privacy.bounded and isinstance(self.sampling, BySizeSampling):
            got, fix = "sampling=by_size, which asks by what clients hold", "Set sampling=uniform."
            yield Fault("privacy=gaussian", "clients asked whatever they hold", got, fix)

    def spent(self, rounds: int, clients: int, count: int | None) -> PrivacySpent | None:
        """The privacy that so many rounds have cost. count: how many clients are selected for a round; None for all."""
        drawn = clients if count is None else min(count, clients)
        return self.privacy.spent(rounds, clients=clients, per_round=drawn if self.sampling.uniform else None)


IDEAL = Conditions()
"""Everybody is as likely to be selected, always answers, at once and in full."""
