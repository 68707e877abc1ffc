"""Where a run is told of besides its own directory: TensorBoard always, MLflow or Weights & Biases if asked.

What is told changes no bit of a run, and whoever does not listen stops none.
"""

from fedmed.tracking.contract import Subject, Tracker, Tracking
from fedmed.tracking.follow import TrackedRun, gathered

__all__ = ["Subject", "TrackedRun", "Tracker", "Tracking", "gathered"]
