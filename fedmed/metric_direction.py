"""Which metric to watch, and which way each one improves; without torch, for those who only read results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

DEFAULT_METRIC = {"multiclass": "auc", "multilabel": "auc", "segmentation": "dice"}
"""The metric to watch for each kind of task."""

Directions = Mapping[str, bool]
"""Metric -> whether a higher value is better; a metric that is not there has no direction, so nothing ranks by it."""

HIGHER_IS_BETTER: Directions = {
    "loss": False,
    "accuracy": True,
    "balanced_accuracy": True,
    "auc": True,
    "f1": True,
    "auprc": True,
    "map": True,
    "precision": True,
    "recall": True,
    "hamming_loss": False,
    "sensitivity_at_specificity_95": True,
    "ece": False,
    "dice": True,
    "iou": True,
    "hd95": False,
    "surface_distance": False,
    "hd95_penalised": False,
    "surface_distance_penalised": False,
    "surface_dice": True,
    "lesion_f1": True,
}
"""Directions of fedmed's own metrics, all of them; those of a user's are declared beside the function."""

FOUND_ONLY = frozenset({"hd95", "surface_distance"})
"""Metrics of what was found: a miss leaves their mean, so that whoever finds least may look best."""

Better = Literal["higher", "lower"]


SCOPES = ("test", "client.mean", "client.worst", "adapted.mean", "adapted.worst", "domain.mean", "domain.worst", "val")
"""What a metric's name may begin with where a whole run is meant, beside parts of the test images."""

PART = re.compile(r"domain\..+|group\.[\w-]+\..+")
"""Of a part of the test images: `domain.Bern`, `group.sex.F`; or over all of these: `group.sex.worst`."""

DIFFERENCE = re.compile(r"domain\.spread|group\.[\w-]+\.gap")
"""Of how far parts lie apart, which is better the smaller it is."""


class ScopedMetric(NamedTuple):
    """A metric (`accuracy`) and over what it is taken (`client.worst`); an empty scope leaves that to who reads it."""

    scope: str
    metric: str

    @classmethod
    def of(cls, name: str) -> ScopedMetric:
        """Of `client.worst.accuracy` or `accuracy`."""
        scope, _, metric = name.rpartition(".")
        return cls(scope, metric)

    @property
    def known(self) -> bool:
        """Whether runs may have the scope."""
        return self.scope in SCOPES or PART.fullmatch(self.scope) is not None

    def greater(self, higher: bool) -> bool:
        """Whether more of it is better. higher: whether a higher value of the metric is."""
        return higher and DIFFERENCE.fullmatch(self.scope) is None


def worst(values: Iterable[float], *, higher: bool) -> float:
    """The worst of some values. higher: whether a higher value is better."""
    return min(values) if higher else max(values)


def direction_name(higher: bool) -> Better:
    """`higher` where a higher value is better, else `lower`."""
    return "higher" if higher else "lower"
