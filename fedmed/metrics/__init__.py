"""Metrics that add up over batches, know how much they rest on, and never count an undefined value as 0."""

from fedmed.metrics.scores import HEADLINE, Scores, Tally, higher_is_better
from fedmed.metrics.tallies import names, tally

__all__ = ["HEADLINE", "Scores", "Tally", "higher_is_better", "names", "tally"]
