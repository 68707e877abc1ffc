"""Under which conditions a federation works; a method never knows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedmed.compression import Compression, NoneCompression
from fedmed.server.failures import Failures, NoneFailures
from fedmed.server.sampling import Sampling, UniformSampling
from fedmed.server.system import NoneSystem, System


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What lies between the server and the clients, whatever the method; each part is an option group of its own.

    sampling: who is asked.
    failures: who drops out.
    system: how long it takes, and how long the server waits.
    compression: how the weights come up.
    """

    sampling: Sampling = field(default_factory=UniformSampling)
    failures: Failures = field(default_factory=NoneFailures)
    system: System = field(default_factory=NoneSystem)
    compression: Compression = field(default_factory=NoneCompression)


IDEAL = Conditions()
"""Everybody is as likely to be asked, always answers, at once and in full."""
