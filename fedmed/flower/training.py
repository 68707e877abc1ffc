"""From the replies of a round's clients to new shared weights, with a row for every client that was asked."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flwr.app import Message

from fedmed.devices import PROCESSOR, moved, settings_kept
from fedmed.flower.messages import TrainReply
from fedmed.flower.rounds import PlannedRound, Row, ServerState, TrainedRound
from fedmed.flower.settings import ServerSettings
from fedmed.flower.validation import ReplyValidator
from fedmed.method import Chain, Payload, Server
from fedmed.server import Aggregation


class RoundTraining:
    """Replies of one round, one by one and in order of client number: checked, counted, and added to the mean.

    state: the server's, which the method's half changes. Raises `UserError` for weights that the run's privacy cannot
    cover.
    """

    def __init__(self, planned: PlannedRound, chain: Chain, settings: ServerSettings, state: ServerState) -> None:
        self._planned, self._chain, self._settings, self._state = planned, chain, settings, state
        self._validator = validator_of(planned, chain, settings)
        self._aggregation = self._new_aggregation()
        self._clients: list[Row] = []
        self._missing: list[Row] = [{"client": client, "dropout": 1} for client in planned.lost]
        self._up = 0

    def read(self, message: Message, client: int) -> TrainReply:
        """A client's reply, which may be added; raises `MismatchError` saying what is wrong with it."""
        reply = self._validator.read(message, client, self._planned.nodes[client])
        if not self._clients:
            self._meet(reply)
        return self._validator.admit(reply)

    def add(self, reply: TrainReply) -> None:
        """Notes the client and its bytes, and adds what it sent to the mean, unless it came too late."""
        row, late = self._row(reply)
        self._up += reply.up
        if late:
            self._missing.append(row | {"late": 1})
            return
        self._clients.append(row)
        self._aggregation.add(reply.report, reply.payloads)

    def finish(self, faulty: Iterable[int] = ()) -> TrainedRound:
        """The round's new weights; the server's state is that after the round.

        faulty: clients whose replies could not be read. Where nothing came in time, weights, inboxes and the server's
        memory stay as they are; raises `ValueError` where clients were to answer and none did.
        """
        planned = self._planned
        self._missing.extend({"client": client, "fault": 1} for client in faulty)
        if not self._clients and len(self._missing) < len(planned.asked):
            raise ValueError(f"round {planned.round}: no client answered, so there is nothing to average")
        shared: Payload = planned.shared
        seconds = 0.0
        if self._clients:
            began = time.perf_counter()
            with settings_kept(f"round {planned.round}, aggregate, strategy {self._chain}"):
                shared, self._state.inbox = self._aggregation.finish()
            seconds = time.perf_counter() - began
        self._state.round = planned.round
        return TrainedRound(shared=shared, clients=self._clients, missing=self._missing, up=self._up, seconds=seconds)

    def _new_aggregation(self) -> Aggregation:
        planned, settings = self._planned, self._settings
        server = Server(
            round=planned.round,
            rounds=planned.rounds,
            seed=settings.seed,
            clients=tuple(planned.nodes),
            shared=planned.shared,
            state=self._state.state,
        )
        names = frozenset(planned.shared) if settings.parameters is None else settings.parameters
        return Aggregation(self._chain, server, settings.optimizer, names, settings.conditions, len(planned.asked))

    def _meet(self, reply: TrainReply) -> None:
        """Brings weights and the server's memory to the device of the replies, where they are averaged.

        In place, as the aggregation and the validation hold the same two dicts.
        """
        received = (reply.report.weights, *reply.payloads.values())
        there = next((tensor.device for tensors in received for tensor in tensors.values()), PROCESSOR)
        self._planned.shared.update(moved(self._planned.shared, there))
        self._state.state.update(moved(self._state.state, there))

    def _row(self, reply: TrainReply) -> tuple[Row, bool]:
        """The client's row, and whether it came too late by the simulated clock."""
        report, system = reply.report, self._settings.conditions.system
        row: Row = {"client": report.client, "examples": report.examples, "loss": report.loss}
        row |= {"seconds": reply.seconds, "bytes.up": reply.up, **reply.extra}
        seed, down = self._settings.seed, self._planned.down
        took = system.duration(report.client, images=reply.images, down=down, up=reply.up, seed=seed)
        if took is not None:
            row |= {"simulated_seconds": sum(took)} | {f"simulated_seconds.{n}": t for n, t in took._asdict().items()}
        return row, system.late(took)


def validator_of(planned: PlannedRound, chain: Chain, settings: ServerSettings) -> ReplyValidator:
    """What the replies of a round are checked by."""
    images = sum(node.images for node in planned.nodes.values())
    return ReplyValidator(
        shared=planned.shared,
        methods=chain.members,
        compression=settings.conditions.compression,
        total=float(max(images, len(planned.nodes), 1)),
        seconds=settings.tolerance.client_timeout,
    )
