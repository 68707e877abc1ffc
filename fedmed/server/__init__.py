"""The server's half of a round."""

from fedmed.server.aggregation import Aggregation, Mean
from fedmed.server.conditions import IDEAL, Conditions
from fedmed.server.optimizers import (
    AdagradServerOptimizer,
    AdamServerOptimizer,
    AverageServerOptimizer,
    MomentumServerOptimizer,
    ServerOptimizer,
    YogiServerOptimizer,
)
from fedmed.server.sampling import AvailabilitySampling, BySizeSampling, Sampling, UniformSampling, sample

__all__ = [
    "IDEAL",
    "AdagradServerOptimizer",
    "AdamServerOptimizer",
    "Aggregation",
    "AvailabilitySampling",
    "AverageServerOptimizer",
    "BySizeSampling",
    "Conditions",
    "Mean",
    "MomentumServerOptimizer",
    "Sampling",
    "ServerOptimizer",
    "UniformSampling",
    "YogiServerOptimizer",
    "sample",
]
