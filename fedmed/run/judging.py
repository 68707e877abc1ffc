"""By what rounds are judged: the validation images of all clients, scored together where they may be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fedmed.metrics import Tally, tally
from fedmed.run.parts import Parts
from fedmed.rundir.final import judge

Row = Mapping[str, Any]


def pooled(parts: Parts) -> Callable[[], Tally] | None:
    """An empty tally for all clients' validation; None where means over clients say the same, so that nothing is sent.

    A client with one class or one image has no AUC, and a mean over the others judges by few clients, or by none.
    Means by images are exact for the loss and for a multi-class accuracy. A user's metric of segmentations would need
    whole label maps, and stays a mean over the clients for which it is defined; so do all where images stay at their
    sites, as their labels do.
    """
    if parts.trainer.training.private:
        return None
    own = {metric.__name__ for metric in parts.trainer.training.metrics}
    segments, adds = parts.task.kind == "segmentation", {"loss"} | ({"accuracy"} - own)
    if parts.task.kind != "multiclass":
        adds -= {"accuracy"}
    if "client" not in parts.experiment.scopes or parts.metric in adds or (segments and parts.metric in own):
        return None
    return partial(tally, parts.task, extra=() if segments else parts.trainer.training.metrics)


def judged(row: Row) -> dict[str, Any]:
    """Of a round's row what it is judged by: all that a run of any length keeps in memory; the rest lies on disk."""
    return {sys.intern(name): value for name, value in row.items() if name == "round" or name.startswith("val.")}


def waited(rows: Sequence[Row], best: Row) -> int:
    """How many evaluations there were since the best round, those without a value of the metric too."""
    return sum(row["round"] > best["round"] and any(name.startswith("val.") for name in row) for row in rows)


def unjudged(rows: Sequence[Row], metric: str) -> str | None:
    """What is judged instead, where the first evaluation shows that the metric is not defined; else None."""
    evaluated = sum(any(name.startswith("val.") for name in row) for row in rows)
    if (used := judge(rows, metric)) == metric or evaluated > 1 or "val.loss" not in rows[-1]:
        return None
    return (
        f"val.{metric} is not defined on the validation images of the clients: "
        f"val.{used} decides which round is best, and when patience is out"
    )
