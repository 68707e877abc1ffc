"""The server's half of a round."""

from fedmed.server.aggregation import Aggregation, Mean, sample
from fedmed.server.optimizers import (
    AdagradServerOptimizer,
    AdamServerOptimizer,
    AverageServerOptimizer,
    MomentumServerOptimizer,
    ServerOptimizer,
    YogiServerOptimizer,
)

__all__ = [
    "AdagradServerOptimizer",
    "AdamServerOptimizer",
    "Aggregation",
    "AverageServerOptimizer",
    "Mean",
    "MomentumServerOptimizer",
    "ServerOptimizer",
    "YogiServerOptimizer",
    "sample",
]
