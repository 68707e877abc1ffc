"""Which metrics a task has, and the tally that adds them up."""

from __future__ import annotations

from collections.abc import Sequence

from fedmed.errors import refuse
from fedmed.metrics.classification import METRICS, ClassificationTally
from fedmed.metrics.scores import Metric, Tally
from fedmed.metrics.segmentation import SegmentationTally
from fedmed.tasks import Task

SEGMENTATION = ("dice", "iou")
SLOW = ("hd95", "surface_distance", "hd95_penalised", "surface_distance_penalised", "surface_dice", "lesion_f1")


def names(task: Task, extra: Sequence[Metric] = ()) -> list[str]:
    """The metrics of every evaluation, the user's own last; raises UserError where two have one name."""
    found = ["loss", *METRICS.get(task.kind, SEGMENTATION)]
    for metric in extra:
        if metric.__name__ in (*found, *SLOW):
            raise refuse("metrics", "a name of its own for every metric", metric.__name__, "Rename the function.")
        found.append(metric.__name__)
    return found


def tally(task: Task, *, extra: Sequence[Metric] = (), thorough: bool = False) -> Tally:
    """An empty tally for one evaluation of one set of examples.

    extra: the user's own metrics, (probabilities, y, seen) -> float, called once by `scores` on all outputs; for
       segmentation predicted label maps (N, H, W) uint8 take the place of probabilities.
    thorough: segmentation: also what is measured of outlines and lesions, which is slow.
    Raises UserError where two metrics have one name.
    """
    names(task, extra)
    if task.kind == "segmentation":
        return SegmentationTally(task, extra, thorough)
    return ClassificationTally(task, extra)
