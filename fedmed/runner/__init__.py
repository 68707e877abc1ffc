"""One experiment from its config: build, check, train, evaluate, keep; and what can be done with its directory."""

from fedmed.runner.federation import describe
from fedmed.runner.lifecycle import resume, run
from fedmed.runner.use import export, predict

__all__ = ["describe", "export", "predict", "resume", "run"]
