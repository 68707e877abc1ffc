"""Which metric to watch, and whether more of it is better; without torch, for those who only read results."""

HEADLINE = {"multiclass": "auc", "multilabel": "auc", "segmentation": "dice"}
"""The metric to watch for each kind of task."""

LOWER_IS_BETTER = frozenset({"loss", "ece", "hd95", "surface_distance"})


def higher_is_better(metric: str) -> bool:
    """Whether a rise of the metric is an improvement; true for every metric that fedmed does not know."""
    return metric not in LOWER_IS_BETTER
