"""Metrics that add up over batches, know how much they rest on, and never count an undefined value as 0."""

from fedmed.metrics.direction import declared, higher_is_better, lower_is_better, undeclared
from fedmed.metrics.scores import Scores, Tally
from fedmed.metrics.tallies import names, tally

__all__ = ["Scores", "Tally", "declared", "higher_is_better", "lower_is_better", "names", "tally", "undeclared"]
