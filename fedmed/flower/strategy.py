"""The Strategy: a method's server half under Flower's own contract, with a row per client and a say after rounds.

A round is five steps, each of which makes a value (`fedmed.flower.rounds`): it is planned, trained, aggregated and
evaluated, and its result is shown to whoever wants it. `MethodStrategy._round` reads so from top to bottom.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import Tensor

from fedmed.errors import UserError
from fedmed.flower.collect import ReplyCollector
from fedmed.flower.faults import ClientFailure
from fedmed.flower.grid import LocalGrid, exchange
from fedmed.flower.identity import identify
from fedmed.flower.messages import ask
from fedmed.flower.nodes import ClientNode, client_nodes
from fedmed.flower.records import pack, unpack
from fedmed.flower.rounds import (
    EvaluatedRound,
    PlannedRound,
    RoundResult,
    Row,
    SentModel,
    ServerState,
    TrainedRound,
    mean_loss,
)
from fedmed.flower.server_nets import ServerNets
from fedmed.flower.settings import EvaluateFn, EvaluationPlan, RoundCallbacks, ServerSettings
from fedmed.flower.training import RoundTraining, validator_of
from fedmed.method import Chain, Method, chain
from fedmed.metrics import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """What `start` is given for all its rounds; see `Strategy.start`. timeout: seconds to wait for replies."""

    grid: Grid
    timeout: float
    train_config: ConfigRecord
    evaluate_config: ConfigRecord
    evaluate_fn: EvaluateFn | None


class MethodStrategy(Strategy):
    """A method's (or a chain's) server half, for `strategy(method, ...).start(grid, arrays, num_rounds)`.

    progress: where to go on from; kept up to date.
    history: whether the result of `start` holds the metrics of all rounds, as Flower's do (false: of the last alone).
    Raises `UserError` for conditions that the method cannot be run under.
    """

    def __init__(
        self,
        method: Method | Chain,
        settings: ServerSettings | None = None,
        *,
        evaluation: EvaluationPlan | None = None,
        callbacks: RoundCallbacks | None = None,
        progress: ServerState | None = None,
        history: bool = True,
    ) -> None:
        identify()
        self._chain, self._settings = chain(method), settings or ServerSettings()
        if faults := list(self._settings.conditions.faults(self._chain)):
            raise UserError(*faults)
        self._evaluation, self._callbacks = evaluation or EvaluationPlan(), callbacks or RoundCallbacks()
        self.progress, self._keeps_history = progress or ServerState(), history
        self._nets = None if self._settings.net is None else ServerNets(self._settings.net)
        self._nodes: dict[int, ClientNode] = {}
        self._rounds = 0
        # Flower's hooks hand on weights and metrics only: what else a step makes is left here for the next one
        self._grid: Grid | None = None
        self._planned: PlannedRound | None = None
        self._trained: TrainedRound | None = None
        self._evaluated = EvaluatedRound()

    def summary(self) -> None:
        """Says nothing: whoever starts the strategy reports."""

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFn | None = None,
    ) -> Result:
        """Runs the rounds after `progress.round` up to `num_rounds`, or until `after_round` says to stop."""
        self._rounds, longest = num_rounds, self._settings.tolerance.client_timeout
        if isinstance(grid, LocalGrid):
            grid.client_timeout = longest
        session = _Session(
            grid=grid,
            timeout=timeout if longest is None else min(timeout, longest),
            train_config=train_config or ConfigRecord(),
            evaluate_config=evaluate_config or ConfigRecord(),
            evaluate_fn=evaluate_fn,
        )
        history, arrays = Result(arrays=initial_arrays), initial_arrays
        for round in range(self.progress.round + 1, num_rounds + 1):
            if not self._keeps_history:
                history = Result(arrays=initial_arrays)
            result = self._round(round, arrays, session, history)
            arrays = history.arrays
            if self._callbacks.after_round(result):
                break
        return history

    def _round(self, round: int, arrays: ArrayRecord, session: _Session, history: Result) -> RoundResult:
        """One round from the weights `arrays`; history: gets the new ones, and metrics as Flower keeps them."""
        began = time.perf_counter()
        messages = list(self.configure_train(round, arrays, session.train_config, session.grid))
        replies = exchange(session.grid, messages, session.timeout) if messages else ()
        new, metrics = self.aggregate_train(round, replies)
        planned, trained = self._steps()
        train_seconds = time.perf_counter() - began - trained.seconds
        history.arrays, history.train_metrics_clientapp[round] = new or arrays, metrics or MetricRecord()

        began = time.perf_counter()
        self._evaluated = EvaluatedRound()
        if messages := list(self.configure_evaluate(round, history.arrays, session.evaluate_config, session.grid)):
            found = self.aggregate_evaluate(round, exchange(session.grid, messages, session.timeout))
            history.evaluate_metrics_clientapp[round] = found or MetricRecord()
        server = self._scored(round, history.arrays, session.evaluate_fn)
        if server is not None:
            history.evaluate_metrics_serverapp[round] = server
        evaluate_seconds = time.perf_counter() - began

        seconds = {"aggregate": trained.seconds, "train": train_seconds, "evaluate": evaluate_seconds}
        return self._result(planned, trained, server, seconds)

    def _steps(self) -> tuple[PlannedRound, TrainedRound]:
        assert self._planned is not None
        assert self._trained is not None
        return self._planned, self._trained

    def _scored(self, round: int, arrays: ArrayRecord, evaluate_fn: EvaluateFn | None) -> MetricRecord | None:
        """Scores of the new weights on the server, in rounds that evaluate; None where there are none."""
        scores = evaluate_fn(round, arrays) if evaluate_fn and self._evaluation.due(round) else None
        return scores or None

    def _result(
        self, planned: PlannedRound, trained: TrainedRound, server: MetricRecord | None, seconds: dict[str, float]
    ) -> RoundResult:
        conditions = self._settings.conditions
        clock = [row["simulated_seconds"] for row in trained.clients if "simulated_seconds" in row]
        scores: dict[str, Any] = dict(server or {})
        return RoundResult(
            planned.round,
            trained.shared,
            trained.clients,
            seconds,
            down=planned.down,
            up=trained.up,
            evaluated=self._evaluated.rows,
            pooled=self._evaluated.pooled,
            server={name: float(value) for name, value in scores.items()},
            selected=len(planned.selected),
            missing=trained.missing,
            simulated=conditions.system.waited(clock, complete=not trained.missing),
            spent=conditions.spent(planned.round, len(planned.nodes), self._settings.clients_per_round),
        )

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Plans the round; one message for every client that is to answer, in order of client number."""
        self._nodes, self._grid = self._nodes or client_nodes(grid), grid
        settings, seed, shared = self._settings, self._settings.seed, unpack(arrays)
        images = {client: node.images for client, node in self._nodes.items()}
        selected = settings.conditions.sampling.draw(images, settings.clients_per_round, seed=seed, round=server_round)
        self._planned = PlannedRound(
            round=server_round,
            rounds=max(self._rounds, server_round),
            shared=shared,
            sent=self._sent(shared),
            nodes=self._nodes,
            selected=selected,
            lost=settings.conditions.failures.lost(selected, seed=seed, round=server_round),
        )
        also = {"adapted": self._evaluation.adapted and self._evaluation.due(server_round)}
        return self._messages("train", self._planned.answering, self._planned, self._planned.sent, {**config}, also)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message | ClientFailure]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The new shared weights, none where they stay; `ClientError` if clients were at fault.

        Raises `ValueError` if clients were to answer and none did.
        """
        planned = self._planned
        if planned is None or planned.round != server_round:
            raise ValueError(f"round {server_round}: no client answered, so there is nothing to average")
        if self._nets is not None:
            self._nets.begin()
        training = RoundTraining(planned, self._chain, self._settings, self.progress, self._nets)
        collector = self._collector("train", planned)
        for reply in collector.accepted(replies, training.read):
            training.add(reply)
        self._trained = training.finish(collector.faulty)
        if not self._trained.clients:
            return None, None
        return pack(self._trained.shared), MetricRecord({"loss": mean_loss(self._trained.clients)})

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for every client, in the rounds that evaluate."""
        planned = self._planned
        if planned is None or not (self._evaluation.by_clients and self._evaluation.due(server_round)):
            return []
        also = {"pooled": self._evaluation.pooled is not None}
        return self._messages("evaluate", list(planned.nodes), planned, self._sent(unpack(arrays)), {**config}, also)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message | ClientFailure]) -> MetricRecord | None:
        """Keeps a row per client; the mean over clients of every metric that is defined for some."""
        assert self._planned is not None
        rows: list[Row] = []
        tallies: dict[str, Tally] = {}
        validator = validator_of(self._planned, self._chain, self._settings)
        for row, outputs in self._collector("evaluate", self._planned).accepted(replies, validator.evaluation):
            rows.append(row)
            for name, packed in outputs.items():
                if self._evaluation.pooled is not None:  # merged at once: an answer is lent until the next one comes
                    tallies.setdefault(name, self._evaluation.pooled()).merge(packed)
        self._evaluated = EvaluatedRound(
            rows=sorted(rows, key=lambda row: row["client"]),
            pooled={name: tally.scores() for name, tally in tallies.items()},
        )
        names = sorted({n for row in rows for n in row if n.count(".") == 1 and not n.endswith("num-examples")})
        values = {n: [row[n] for row in rows if n in row] for n in names}
        return MetricRecord({n: sum(v) / len(v) for n, v in values.items()}) if values else None

    def _sent(self, shared: dict[str, Tensor]) -> dict[int, SentModel]:
        """What each client gets: the shared weights and inbox, or where models are split those of its group."""
        if not self.progress.groups:
            everybody = SentModel(min(self._nodes, default=0), shared, self.progress.inbox)
            return dict.fromkeys(self._nodes, everybody)
        models = {group: SentModel(group.clients[0], group.shared, group.inbox) for group in self.progress.groups}
        return {client: model for group, model in models.items() for client in group.clients}

    def _messages(
        self,
        kind: str,
        clients: Sequence[int],
        planned: PlannedRound,
        sent: Mapping[int, SentModel],
        config: dict[str, Any],
        also: dict[str, bool],
    ) -> list[Message]:
        """One message of a kind (train or evaluate) to each client: the same content to those who share a model."""
        config |= {"server-round": planned.round, "num-rounds": planned.rounds, **also}
        contents: dict[SentModel, RecordDict] = {}
        for model in dict.fromkeys(sent[client] for client in clients):
            inbox = {member: pack(payload) for member, payload in model.inbox.items()}
            contents[model] = ask(pack(model.shared), inbox, config)
        group = str(planned.round)
        return [Message(contents[sent[c]], planned.nodes[c].node, kind, group_id=group) for c in clients]

    def _collector(self, stage: str, planned: PlannedRound) -> ReplyCollector:
        return ReplyCollector(
            self._settings.tolerance,
            self._callbacks.on_fault,
            stage=stage,
            round=planned.round,
            strategy=str(self._chain),
            clients={node.node: client for client, node in planned.nodes.items()},
            grid=self._grid,
        )
