"""Which way the user's own metrics improve: each one says so beside its function, as torchmetrics' classes do.

@lower_is_better
def off_by(probabilities, y, seen): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fedmed.errors import Fault
from fedmed.metric_direction import Directions
from fedmed.metrics.scores import Metric

F = TypeVar("F", bound=Callable[..., Any])

ATTRIBUTE = "higher_is_better"
"""Where the direction of a metric is kept."""


def higher_is_better(metric: F) -> F:
    """Declares that a rise of the metric is an improvement, as of an accuracy."""
    return _declare(metric, True)


def lower_is_better(metric: F) -> F:
    """Declares that a fall of the metric is an improvement, as of an error."""
    return _declare(metric, False)


def declared(metrics: Iterable[Metric]) -> Directions:
    """The directions of those metrics that declare one."""
    found = {metric.__name__: getattr(metric, ATTRIBUTE, None) for metric in metrics}
    return {name: higher for name, higher in found.items() if isinstance(higher, bool)}


def undeclared(where: str, metric: str) -> Fault:
    """The fault of a metric by which something is to be ranked, and which does not say how."""
    fix = (
        f"Write @higher_is_better or @lower_is_better above `def {metric}`, and at the top of its file: "
        "from fedmed.metrics import higher_is_better, lower_is_better"
    )
    return Fault(where, "a metric that declares which way it improves", f"{metric}, which does not", fix)


def _declare(metric: F, higher: bool) -> F:
    setattr(metric, ATTRIBUTE, higher)
    return metric
