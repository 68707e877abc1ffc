"""The server's half of a round."""

from fedmed.server.aggregation import Aggregation, Mean
from fedmed.server.conditions import IDEAL, Conditions
from fedmed.server.failures import DropoutFailures, Failures, NoneFailures
from fedmed.server.optimizers import (
    AdagradServerOptimizer,
    AdamServerOptimizer,
    AverageServerOptimizer,
    MomentumServerOptimizer,
    ServerOptimizer,
    YogiServerOptimizer,
)
from fedmed.server.privacy import GaussianPrivacy, NonePrivacy, Privacy, Spent
from fedmed.server.sampling import AvailabilitySampling, BySizeSampling, Sampling, UniformSampling, sample
from fedmed.server.system import NoneSystem, ProfileSystem, System

__all__ = [
    "IDEAL",
    "AdagradServerOptimizer",
    "AdamServerOptimizer",
    "Aggregation",
    "AvailabilitySampling",
    "AverageServerOptimizer",
    "BySizeSampling",
    "Conditions",
    "DropoutFailures",
    "Failures",
    "GaussianPrivacy",
    "Mean",
    "MomentumServerOptimizer",
    "NoneFailures",
    "NonePrivacy",
    "NoneSystem",
    "Privacy",
    "ProfileSystem",
    "Sampling",
    "ServerOptimizer",
    "Spent",
    "System",
    "UniformSampling",
    "YogiServerOptimizer",
    "sample",
]
