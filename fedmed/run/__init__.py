"""One experiment: made ready, trained, evaluated, kept; and what can be done with its directory."""

from fedmed.config.build import build
from fedmed.inference.predict import export, predict
from fedmed.run.federation import describe
from fedmed.run.lifecycle import resume, run

__all__ = ["build", "describe", "export", "predict", "resume", "run"]
