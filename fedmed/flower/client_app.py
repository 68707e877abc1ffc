"""The ClientApp: Flower's messages to one client's round, and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import Tensor

from fedmed.client import ClientData, ClientRequest, ClientResult, Trainer, TrainerSpec, Training
from fedmed.flower.messages import METRICS, OUTPUTS, POOLED, answer, client_id, flat, read_request
from fedmed.flower.records import pack, save_memory
from fedmed.flower.server_evaluation import score_batches
from fedmed.method import Chain, Method, chain
from fedmed.models.net import Net
from fedmed.tasks import Task


def client_app(
    method: Method | Chain,
    *,
    net: Net,
    task: Task,
    training: Training,
    share: Callable[[int], ClientData],
    normalise: Callable[[Tensor], Tensor] = Tensor.float,
    seed: int = 0,
    channels_last: bool = False,
) -> ClientApp:
    """A Flower ClientApp that runs a method's client half.

    share: the images of a client, by the partition-id of its Flower node.
    It answers train, evaluate, and query.roster; state is kept in the context's state.
    """
    spec = TrainerSpec(
        net=net,
        chain=chain(method),
        task=task,
        training=training,
        share=share,
        normalise=normalise,
        seed=seed,
        channels_last=channels_last,
    )
    return app_of(Trainer(spec))


def app_of(trainer: Trainer) -> ClientApp:
    """A ClientApp that runs rounds on the trainer; it answers train, evaluate, query.roster and query.test."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        started = time.perf_counter()
        request = read_request(message, context)
        result = trainer.train(request)
        return train_reply(trainer, message, context, request, result, time.perf_counter() - started)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        request = read_request(message, context)
        values: dict[str, Any] = {"partition-id": request.client, "num-examples": 0}
        content = RecordDict()
        with torch.no_grad():
            for name, tally in trainer.tallies(request).items():
                scores = tally.scores()
                values.update(flat(name, scores))
                values[f"{name}.num-examples"] = scores.examples
                if request.pooled and name in POOLED and not trainer.training.private:
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


def train_reply(
    trainer: Trainer,
    message: Message,
    context: Context,
    request: ClientRequest,
    result: ClientResult,
    seconds: float,
) -> Message:
    """The answer of a client that has trained; what the client keeps goes to its context.

    trainer: still holds the client's weights, as it has trained nobody since. seconds: that training took.
    """
    weights = result.weights if trainer.training.compression.exact else trainer.compress(request, result.state)
    if result.state or context.state:
        save_memory(result.state, context.state)
    return Message(answer(request.client, result, pack(weights), seconds), reply_to=message)
