"""The server's half of a round."""

from fedmed.server.aggregation import Aggregation
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
from fedmed.server.privacy import GaussianPrivacy, NonePrivacy, Privacy, PrivacySpent
from fedmed.server.sampling import AvailabilitySampling, BySizeSampling, Sampling, UniformSampling, sample
from fedmed.server.split import ModelGroup, SplitAggregation
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
    "ModelGroup",
    "MomentumServerOptimizer",
    "NoneFailures",
    "NonePrivacy",
    "NoneSystem",
    "Privacy",
    "PrivacySpent",
    "ProfileSystem",
    "Sampling",
    "ServerOptimizer",
    "SplitAggregation",
    "System",
    "UniformSampling",
    "YogiServerOptimizer",
    "sample",
]
