"""What keeps libraries from asking anything of the network that nobody asked for; needs no other module of fedmed."""

from __future__ import annotations

import os

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
}
"""Environment of a process that asks nothing of the network."""


def go_offline() -> None:
    """Sets these variables of this process, except where the user has; to be called before the libraries load."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
