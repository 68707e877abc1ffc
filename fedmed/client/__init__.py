"""One client's round: from a job (what arrives) to an outcome (what leaves)."""

from fedmed.client.jobs import LOCAL, OPTIMIZER, RESIDUAL, Job, Outcome, Share, Training
from fedmed.client.trainer import Trainer

__all__ = ["LOCAL", "OPTIMIZER", "RESIDUAL", "Job", "Outcome", "Share", "Trainer", "Training"]
