"""The ServerApp: a strategy started on whatever grid Flower gives it."""

from __future__ import annotations

from collections.abc import Callable

from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]


def server_app(strategy: Strategy, arrays: ArrayRecord, rounds: int, evaluate: EvaluateFn | None = None) -> ServerApp:
    """A Flower ServerApp that runs the strategy for `rounds` rounds from the initial weights.

    evaluate: scores the global model on the server after a round; None for no such scores.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        strategy.start(grid, arrays, rounds, evaluate_fn=evaluate)

    return app
