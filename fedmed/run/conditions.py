"""The conditions of an experiment, as the server takes them."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from fedmed.experiment import Experiment
from fedmed.server import IDEAL, Conditions


def conditions_of(experiment: Experiment) -> Conditions:
    """The conditions of an experiment."""
    return Conditions(**{part.name: vars(experiment)[part.name] for part in fields(Conditions)})


def undisturbed(experiment: Experiment) -> Experiment:
    """The experiment without what there is only among several clients: images in one place wait for nobody."""
    return replace(
        experiment, clients_per_round=None, sampling=IDEAL.sampling, failures=IDEAL.failures, system=IDEAL.system
    )


def fingerprint(experiment: Experiment) -> bytes:
    """What stands in the files that the conditions name."""
    path = vars(experiment.sampling).get("path")
    return Path(path).read_bytes() if path else b""
