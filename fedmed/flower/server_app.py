"""The ServerApp: a strategy started on whatever grid Flower gives it."""

from __future__ import annotations

from flwr.app import ArrayRecord, ConfigRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy

from fedmed.flower.settings import EvaluateFn


def server_app(
    strategy: Strategy,
    arrays: ArrayRecord,
    rounds: int,
    evaluate: EvaluateFn | None = None,
    *,
    config: ConfigRecord | None = None,
    timeout: float = 3600.0,
) -> ServerApp:
    """A Flower ServerApp that runs the strategy for `rounds` rounds from the initial weights.

    evaluate: scores the global model on the server after a round; None for no such scores.
    config: what every message says besides the strategy's own. timeout: seconds that answers in a round may take.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy.start(grid, arrays, rounds, timeout, config, config, evaluate_fn=evaluate)

    return app
