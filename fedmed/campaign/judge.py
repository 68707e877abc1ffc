"""The metric by which runs will be judged, checked before any of them is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fedmed.config.build import resolve
from fedmed.errors import UserError, near, refuse
from fedmed.headline import HIGHER_IS_BETTER


def higher_is_better(where: str, metric: str, configs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a higher value of the metric is better in runs of the configs; imports the user's own metrics for it.

    where: what ranks by it. Raises `UserError` where no run has it or its function declares no direction.
    """
    if metric in HIGHER_IS_BETTER:
        return HIGHER_IS_BETTER[metric]
    from fedmed.metrics import declared, undeclared

    own = {str(path): resolve(str(path)) for config in configs for path in config.get("metrics") or ()}
    names, found = {function.__name__ for function in own.values()}, declared(own.values())
    if metric not in names:
        raise refuse(where, "a metric of these runs", metric, near(metric, {*HIGHER_IS_BETTER, *names}))
    if metric not in found:
        raise UserError(undeclared(where, metric))
    return found[metric]
