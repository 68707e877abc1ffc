"""From the replies of a round's clients to new shared weights, with a row for every selected client."""

from __future__ import annotations

import time
from collections.abc import Iterable

from flwr.app import Message

from fedmed.devices import PROCESSOR, moved, settings_kept
from fedmed.flower.messages import TrainReply
from fedmed.flower.rounds import PlannedRound, Row, ServerState, TrainedRound
from fedmed.flower.server_nets import ServerNets
from fedmed.flower.settings import ServerSettings
from fedmed.flower.validation import ReplyValidator
from fedmed.method import Chain, Payload, Server
from fedmed.server import Aggregation, ModelGroup, SplitAggregation


class RoundTraining:
    """Replies of one round, one by one and in order of client number: checked, counted, and added to the mean.

    state: the server's, which the method's half changes. nets: makes frozen nets for it, if any.
    Raises `UserError` for weights that the run's privacy cannot cover.
    """

    def __init__(
        self, planned: PlannedRound, chain: Chain, settings: ServerSettings, state: ServerState, nets: ServerNets | None
    ) -> None:
        self._planned, self._chain, self._settings, self._state = planned, chain, settings, state
        self._validator = validator_of(planned, chain, settings)
        self._aggregation = self._new_aggregation(nets)
        self._clients: list[Row] = []
        self._missing: list[Row] = [{"client": client, "dropout": 1} for client in planned.lost]
        self._up = 0

    def read(self, message: Message, client: int) -> TrainReply:
        """A client's reply, which may be added; raises `MismatchError` with what is wrong with it."""
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
        if not self._clients and len(self._missing) < len(planned.selected):
            raise ValueError(f"round {planned.round}: no client answered, so there is nothing to average")
        shared: Payload = planned.shared
        seconds = 0.0
        if self._clients:
            began = time.perf_counter()
            with settings_kept(f"round {planned.round}, aggregate, strategy {self._chain}"):
                shared = self._aggregated()
            seconds = time.perf_counter() - began
        self._state.round = planned.round
        return TrainedRound(shared=shared, clients=self._clients, missing=self._missing, up=self._up, seconds=seconds)

    def _aggregated(self) -> Payload:
        """The new shared weights, or the plain mean of several models; inboxes and groups go to the server's state."""
        if isinstance(self._aggregation, SplitAggregation):
            shared, self._state.groups = self._aggregation.finish()
        else:
            shared, self._state.inbox = self._aggregation.finish()
        return shared

    def _new_aggregation(self, nets: ServerNets | None) -> Aggregation | SplitAggregation:
        planned, settings = self._planned, self._settings
        names = frozenset(planned.shared) if settings.parameters is None else settings.parameters
        server = Server(
            round=planned.round,
            rounds=planned.rounds,
            seed=settings.seed,
            clients=tuple(planned.nodes),
            shared=planned.shared,
            state=self._state.state,
            parameters=names,
            nets=None if nets is None else nets.take,
        )
        how = self._chain, server, settings.optimizer, names, settings.conditions
        if self._chain.has("split"):
            groups = self._state.groups or [ModelGroup(clients=server.clients, shared=planned.shared)]
            return SplitAggregation(*how, groups=groups)
        return Aggregation(*how, len(planned.selected))

    def _meet(self, reply: TrainReply) -> None:
        """Brings weights and the server's memory to the device of the replies, where they are averaged.

        In place, as the aggregation and the validation hold the same dicts.
        """
        received = (reply.report.weights, *reply.payloads.values())
        there = next((tensor.device for tensors in received for tensor in tensors.values()), PROCESSOR)
        weights = {id(held): held for held in (self._planned.shared, *(s.shared for s in self._planned.sent.values()))}
        memories = [self._state.state, *(group.state for group in self._state.groups)]
        for held in [*weights.values(), *memories]:
            held.update(moved(held, there))

    def _row(self, reply: TrainReply) -> tuple[Row, bool]:
        """The client's row, and whether it came too late by the simulated clock."""
        report, system = reply.report, self._settings.conditions.system
        sent = self._planned.sent[report.client]
        row: Row = {"client": report.client, "examples": report.examples, "loss": report.loss}
        if self._chain.has("split"):
            row["model"] = sent.number
        row |= {"seconds": reply.seconds, "bytes.up": reply.up, **reply.extra}
        seed = self._settings.seed
        took = system.duration(report.client, images=reply.images, down=sent.size, up=reply.up, seed=seed)
        if took is not None:
            row |= {"simulated_seconds": sum(took)} | {f"simulated_seconds.{n}": t for n, t in took._asdict().items()}
        return row, system.late(took)


def validator_of(planned: PlannedRound, chain: Chain, settings: ServerSettings) -> ReplyValidator:
    """What the replies of a round are checked by."""
    images = sum(node.images for node in planned.nodes.values())
    return ReplyValidator(
        shared=planned.shared,
        anchors={client: sent.shared for client, sent in planned.sent.items()},
        methods=chain.members,
        compression=settings.conditions.compression,
        total=float(max(images, len(planned.nodes), 1)),
        seconds=settings.tolerance.client_timeout,
    )
