"""The contract of a method, and `chain`, which makes one method of several."""

from fedmed.method.chain import Chain, chain
from fedmed.method.contract import Method, Setup
from fedmed.method.server_views import Report, Server, Withheld
from fedmed.method.views import Batch, Client, Payload, Scope, Session, State, Swept

__all__ = [
    "Batch",
    "Chain",
    "Client",
    "Method",
    "Payload",
    "Report",
    "Scope",
    "Server",
    "Session",
    "Setup",
    "State",
    "Swept",
    "Withheld",
    "chain",
]
