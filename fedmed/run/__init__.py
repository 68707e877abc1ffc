"""One experiment from its config: build, check, train, evaluate, keep; and what can be done with its directory."""

from fedmed.inference.predict import export, predict
from fedmed.run.federation import describe
from fedmed.run.lifecycle import resume, run

__all__ = ["describe", "export", "predict", "resume", "run"]
