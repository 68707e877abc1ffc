"""fedmed's methods as Flower apps: `client_app` and `strategy` also serve in a Flower project of your own."""

from fedmed.flower.client_app import app_of, client_app
from fedmed.flower.faults import ClientError, ClientFailure, FaultRow, FaultTolerance
from fedmed.flower.grid import LocalGrid
from fedmed.flower.identity import identify
from fedmed.flower.rounds import RoundResult, ServerState
from fedmed.flower.settings import EvaluationPlan, RoundCallbacks, ServerSettings
from fedmed.flower.strategy import MethodStrategy

strategy = MethodStrategy
"""`strategy(method, ServerSettings(...))`: the Strategy of a method; the companion of `client_app(method, ...)`."""

__all__ = [
    "ClientError",
    "ClientFailure",
    "EvaluationPlan",
    "FaultRow",
    "FaultTolerance",
    "LocalGrid",
    "MethodStrategy",
    "RoundCallbacks",
    "RoundResult",
    "ServerSettings",
    "ServerState",
    "app_of",
    "client_app",
    "identify",
    "strategy",
]
