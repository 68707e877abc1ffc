"""The contract of a method, and `chain`, which makes one method of several."""

from fedmed.method.average import WeightedMean, average_of
from fedmed.method.chain import Chain, chain
from fedmed.method.client import Batch, Client, Payload, RoundContext, Scope, State, SweepPart
from fedmed.method.contract import Method, Setup
from fedmed.method.server import Report, Server, UnavailableWeights

__all__ = [
    "Batch",
    "Chain",
    "Client",
    "Method",
    "Payload",
    "Report",
    "RoundContext",
    "Scope",
    "Server",
    "Setup",
    "State",
    "SweepPart",
    "UnavailableWeights",
    "WeightedMean",
    "average_of",
    "chain",
]
