"""The ClientApp: Flower's messages to one client's round, and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor

from fedmed.client import Job, Outcome, Share, Trainer, Training
from fedmed.flower.records import pack, save_memory
from fedmed.flower.testing import score_batches
from fedmed.flower.wire import METRICS, OUTPUTS, POOLED, answer, client_id, flat, read_job
from fedmed.method import Chain, Method, chain
from fedmed.models.net import Net
from fedmed.tasks import Task


def client_app(
    method: Method | Chain,
    *,
    net: Net,
    task: Task,
    training: Training,
    share: Callable[[int], Share],
    normalise: Callable[[Tensor], Tensor] = Tensor.float,
    seed: int = 0,
    channels_last: bool = False,
) -> ClientApp:
    """A Flower ClientApp that runs a method's client half.

    share: the images of a client, by the partition-id of its Flower node.
    It answers train, evaluate, and query.roster; state is kept in the context's state.
    """
    return app_of(
        Trainer(
            net=net,
            chain=chain(method),
            task=task,
            training=training,
            share=share,
            normalise=normalise,
            seed=seed,
            channels_last=channels_last,
        )
    )


def app_of(trainer: Trainer) -> ClientApp:
    """The ClientApp of a trainer."""
    app, reply = ClientApp(), Replies(trainer)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        started = time.perf_counter()
        job = read_job(message, context)
        outcome = trainer.train(job)
        return reply(message, context, job, outcome, time.perf_counter() - started)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        job = read_job(message, context)
        values: dict[str, Any] = {"partition-id": job.client, "num-examples": 0}
        content = RecordDict()
        with torch.no_grad():
            for name, tally in trainer.tallies(job).items():
                scores = tally.scores()
                values.update(flat(name, scores))
                values[f"{name}.num-examples"] = scores.examples
                if job.pooled and name in POOLED and not trainer.training.private:
                    content[OUTPUTS + name] = pack(tally.packed())
        values["num-examples"] = values.get("test.num-examples", 0)
        content[METRICS] = MetricRecord(values)
        return Message(content, reply_to=message)

    @app.query("roster")
    def roster(message: Message, context: Context) -> Message:
        client = client_id(context)
        card = {"partition-id": client, "num-examples": trainer.images(client)}
        return Message(RecordDict({METRICS: MetricRecord(card)}), reply_to=message)  # type: ignore[arg-type]

    score_batches(app, trainer)
    return app


class Replies:
    """The answers of clients that have trained, and whose weights the trainer still holds."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __call__(self, message: Message, context: Context, job: Job, outcome: Outcome, seconds: float) -> Message:
        """The answer to a message; what the client keeps goes to its context."""
        exact = self._trainer.training.compression.exact
        arrays = pack(outcome.weights if exact else self._trainer.compress(job, outcome.state))
        if outcome.state or context.state:
            save_memory(outcome.state, context.state)
        return Message(answer(job.client, outcome, arrays, seconds), reply_to=message)
