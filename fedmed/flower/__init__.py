"""fedmed's methods as Flower apps: `client_app` and `strategy` also serve in a Flower project of your own."""

from fedmed.flower.client_app import app_of, client_app
from fedmed.flower.faults import ClientError, ClientFailure, FaultRow, FaultTolerance
from fedmed.flower.grid import LocalGrid
from fedmed.flower.identity import identify
from fedmed.flower.rounds import RoundResult, ServerState
from fedmed.flower.strategy import MethodStrategy

strategy = MethodStrategy
"""`strategy(method, ...)`: the Strategy of a method; the companion of `client_app(method, ...)`."""

__all__ = [
    "ClientError",
    "ClientFailure",
    "FaultRow",
    "FaultTolerance",
    "LocalGrid",
    "MethodStrategy",
    "RoundResult",
    "ServerState",
    "app_of",
    "client_app",
    "identify",
    "strategy",
]
