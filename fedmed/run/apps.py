"""The ClientApp of a run for processes that start with nothing: it makes its own parts from the run's config."""

from __future__ import annotations

from functools import cache, partial

import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedmed.config.build import build, from_yaml
from fedmed.flower import app_of
from fedmed.flower.deferred import deferred
from fedmed.flower.memory import hand_over_memory
from fedmed.run.parts import build_parts


def simulated_app(config_yaml: str) -> ClientApp:
    """The ClientApp of a simulation, which can be pickled; a process builds world and trainer at its first message.

    config_yaml: the resolved config; the files that it names must be where the process runs.
    """
    return hand_over_memory(deferred(partial(_answer, config_yaml)))


def _answer(config_yaml: str, message: Message, context: Context) -> Message:
    return _built(config_yaml)(message, context)


@cache
def _built(config_yaml: str) -> ClientApp:
    experiment = build(from_yaml(config_yaml))
    torch.set_num_threads(experiment.torch_threads)
    return app_of(build_parts(experiment).trainer)
