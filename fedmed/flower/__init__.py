"""fedmed's methods as Flower apps: `client_app` and `strategy` also serve in a Flower project of your own."""

from fedmed.flower.client_app import app_of, client_app
from fedmed.flower.faults import ClientError, Failed, FaultRow, Tolerance
from fedmed.flower.grid import LocalGrid
from fedmed.flower.identity import identify
from fedmed.flower.rounds import Progress, RoundResult
from fedmed.flower.strategy import MethodStrategy

strategy = MethodStrategy
"""`strategy(method, ...)`: the Strategy of a method; the companion of `client_app(method, ...)`."""

__all__ = [
    "ClientError",
    "Failed",
    "FaultRow",
    "LocalGrid",
    "MethodStrategy",
    "Progress",
    "RoundResult",
    "Tolerance",
    "app_of",
    "client_app",
    "identify",
    "strategy",
]
