"""Where rows and results of a run are sent: TensorBoard always; MLflow or Weights & Biases if asked.

Tracking changes no bit of a run, and a tracker that fails stops none.
"""

from fedmed.tracking.contract import Subject, Tracker, Tracking
from fedmed.tracking.follow import TrackedRun, gathered

__all__ = ["Subject", "TrackedRun", "Tracker", "Tracking", "gathered"]
