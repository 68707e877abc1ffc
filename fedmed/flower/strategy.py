"""The Strategy: a method's server half under Flower's own contract, with a row per client and a say after rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy
from torch import Tensor

from fedmed.devices import PROCESSOR, moved, settings_kept
from fedmed.errors import UserError
from fedmed.flower.collect import ReplyCollector
from fedmed.flower.faults import STRICT, ClientFailure, FaultRow, FaultTolerance
from fedmed.flower.grid import LocalGrid, exchange
from fedmed.flower.identity import identify
from fedmed.flower.messages import TrainReply, ask, count_bytes
from fedmed.flower.nodes import ClientNode, members
from fedmed.flower.records import pack, unpack
from fedmed.flower.rounds import RoundResult, Row, ServerState, mean_loss
from fedmed.flower.validation import ReplyValidator
from fedmed.method import Chain, Method, Server, chain
from fedmed.metrics import Tally
from fedmed.server import IDEAL, Aggregation, AverageServerOptimizer, Conditions, ServerOptimizer


class MethodStrategy(Strategy):
    """A method's (or a chain's) server half, for `strategy(method, ...).start(grid, arrays, num_rounds)`.

    seed: of sampling and of the method's random numbers.
    clients_per_round: how many clients train in a round (None: all).
    conditions: who is asked, who drops out, how long it takes, how the weights come up, what hides a client.
    optimizer: how to step from the old weights to the mean (None: take the mean).
    parameters: names of the trainable entries, which the optimizer steps (None: all).
    evaluates: in which rounds anything is evaluated.
    evaluate_clients: whether clients score the received model in those rounds.
    adapted: whether they also score themselves right after training.
    pooled: makes an empty tally; then clients send the outputs of their validation images, which are scored together.
    after_round: sees each round's result; True ends the run.
    history: whether the result of `start` holds the metrics of all rounds, as Flower's do (false: of the last alone).
    tolerance: what becomes of a round in which a client is at fault.
    on_fault: sees a row for each client that is.
    progress: where to go on from.
    """

    def __init__(
        self,
        method: Method | Chain,
        *,
        seed: int = 0,
        clients_per_round: int | None = None,
        conditions: Conditions = IDEAL,
        optimizer: ServerOptimizer | None = None,
        parameters: frozenset[str] | None = None,
        evaluates: Callable[[int], bool] = lambda round: True,
        evaluate_clients: bool = True,
        adapted: bool = False,
        pooled: Callable[[], Tally] | None = None,
        after_round: Callable[[RoundResult], bool] = lambda result: False,
        history: bool = True,
        progress: ServerState | None = None,
        tolerance: FaultTolerance = STRICT,
        on_fault: Callable[[FaultRow], None] = lambda row: None,
    ) -> None:
        identify()
        if faults := list(conditions.faults(chain(method))):
            raise UserError(*faults)
        self._chain, self._parameters, self._seed = chain(method), parameters, seed
        self._count, self._conditions, self._after = clients_per_round, conditions, after_round
        self._optimizer = optimizer or AverageServerOptimizer()
        self._evaluates, self._evaluate_clients, self._adapted = evaluates, evaluate_clients, adapted
        self._pooled = pooled
        self.progress = progress or ServerState()
        self._tolerance, self._on_fault = tolerance, on_fault
        self._grid: Grid | None = None
        self._members: dict[int, ClientNode] = {}
        self._clients: dict[int, int] = {}
        self._rounds, self._history = 0, history
        self._shared: dict[str, Tensor] = {}
        self._result = RoundResult(0, {}, [], {}, 0, 0)

    def summary(self) -> None:
        """Says nothing: whoever starts the strategy reports."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for every client of the round, in order of client number."""
        self._members, self._grid = self._members or members(grid), grid
        self._clients = {member.node: client for client, member in self._members.items()}
        self._shared = unpack(arrays)
        images = {client: member.images for client, member in self._members.items()}
        asked = self._conditions.sampling.draw(images, self._count, seed=self._seed, round=server_round)
        down = count_bytes(self._shared) + sum(map(count_bytes, self.progress.inbox.values()))
        self._result = RoundResult(server_round, {}, [], {}, down * len(asked), 0, asked=len(asked))
        lost = self._conditions.failures.lost(asked, seed=self._seed, round=server_round)
        self._result.missing = [{"client": client, "dropout": 1} for client in lost]
        return self._messages("train", [c for c in asked if c not in lost], server_round, arrays, config)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message | ClientFailure]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The new shared weights; `ClientError` if clients were at fault, `ValueError` if none answered."""
        aggregation, border, gate = self._aggregation(server_round), self._border(), self._gate("train", server_round)

        def read(message: Message, client: int) -> TrainReply:
            reply = border.read(message, client, self._members[client])
            if not self._result.clients:
                self._meet(reply)
            return border.admit(reply)

        for reply in gate.passed(replies, read):
            if self._note(reply):
                aggregation.add(reply.report, reply.payloads)
        self._result.missing.extend({"client": client, "fault": 1} for client in gate.faulty)
        if not self._result.clients:
            return self._stay(server_round)
        began = time.perf_counter()
        with settings_kept(f"round {server_round}, aggregate, strategy {self._chain}"):
            shared, self.progress.inbox = aggregation.finish()
        self.progress.round = server_round
        self._result.shared, self._result.seconds["aggregate"] = shared, time.perf_counter() - began
        return pack(shared), MetricRecord({"loss": mean_loss(self._result.clients)})

    def _aggregation(self, round: int) -> Aggregation:
        server = Server(
            round=round,
            rounds=max(self._rounds, round),
            seed=self._seed,
            clients=tuple(self._members),
            shared=self._shared,
            state=self.progress.state,
        )
        names = frozenset(self._shared) if self._parameters is None else self._parameters
        return Aggregation(self._chain, server, self._optimizer, names, self._conditions, self._result.asked)

    def _border(self) -> ReplyValidator:
        images = sum(member.images for member in self._members.values())
        return ReplyValidator(
            shared=self._shared,
            methods=self._chain.members,
            compression=self._conditions.compression,
            total=float(max(images, len(self._members), 1)),
            seconds=self._tolerance.client_timeout,
        )

    def _gate(self, stage: str, round: int) -> ReplyCollector:
        return ReplyCollector(
            self._tolerance,
            self._on_fault,
            stage=stage,
            round=round,
            strategy=str(self._chain),
            clients=self._clients,
            grid=self._grid,
        )

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for every client, in the rounds that evaluate."""
        if not (self._evaluate_clients and self._evaluates(server_round)):
            return []
        return self._messages("evaluate", list(self._members), server_round, arrays, config)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message | ClientFailure]) -> MetricRecord | None:
        """Keeps a row per client; the mean over clients of every metric that is defined for some."""
        rows: list[Row] = []
        tallies: dict[str, Tally] = {}
        border = self._border()
        for row, outputs in self._gate("evaluate", server_round).passed(replies, border.evaluation):
            rows.append(row)
            for name, packed in outputs.items():
                if self._pooled is not None:  # merged at once: an answer is lent until the next one comes
                    tallies.setdefault(name, self._pooled()).merge(packed)
        self._result.pooled = {name: tally.scores() for name, tally in tallies.items()}
        self._result.evaluated = sorted(rows, key=lambda row: row["client"])
        names = sorted({n for row in rows for n in row if n.count(".") == 1 and not n.endswith("num-examples")})
        values = {n: [row[n] for row in rows if n in row] for n in names}
        return MetricRecord({n: sum(v) / len(v) for n, v in values.items()}) if values else None

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Callable[[int, ArrayRecord], MetricRecord | None] | None = None,
    ) -> Result:
        """Runs the rounds after `progress.round` up to `num_rounds`, or until `after_round` says to stop."""
        self._rounds, longest = num_rounds, self._tolerance.client_timeout
        timeout = timeout if longest is None else min(timeout, longest)
        if isinstance(grid, LocalGrid):
            grid.client_timeout = longest
        result, arrays = Result(arrays=initial_arrays), initial_arrays
        train_config, evaluate_config = train_config or ConfigRecord(), evaluate_config or ConfigRecord()
        for round in range(self.progress.round + 1, num_rounds + 1):
            if not self._history:
                result = Result(arrays=initial_arrays)
            arrays, metrics = self._train(round, arrays, train_config, grid, timeout)
            result.arrays, result.train_metrics_clientapp[round] = arrays, metrics
            began = time.perf_counter()
            self._evaluate(round, arrays, evaluate_config, grid, timeout, result)
            if evaluate_fn and self._evaluates(round) and (scores := evaluate_fn(round, arrays)):
                result.evaluate_metrics_serverapp[round] = scores
                self._result.server = {n: float(v) for n, v in scores.items()}  # type: ignore[arg-type]
            self._result.seconds["evaluate"] = time.perf_counter() - began
            if self._after(self._result):
                break
        return result

    def _train(
        self, round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid, timeout: float
    ) -> tuple[ArrayRecord, MetricRecord]:
        """A round's new weights; the old ones where nobody was there to train."""
        began = time.perf_counter()
        if messages := list(self.configure_train(round, arrays, config, grid)):
            new, metrics = self.aggregate_train(round, exchange(grid, messages, timeout))
        else:
            new, metrics = self._stay(round)
        self._result.seconds["train"] = time.perf_counter() - began - self._result.seconds["aggregate"]
        clock = [row["simulated_seconds"] for row in self._result.clients if "simulated_seconds" in row]
        self._result.simulated = self._conditions.system.waited(clock, complete=not self._result.missing)
        self._result.spent = self._conditions.spent(round, len(self._members), self._count)
        return new or arrays, metrics or MetricRecord()

    def _stay(self, round: int) -> tuple[None, None]:
        """Ends a round in which nothing came in time: weights, inboxes and the server's memory stay as they are.

        Raises `ValueError` where clients were to answer and none did.
        """
        if len(self._result.missing) < self._result.asked or round != self._result.round:
            raise ValueError(f"round {round}: no client answered, so there is nothing to average")
        self.progress.round = round
        self._result.shared, self._result.seconds["aggregate"] = self._shared, 0.0
        return None, None

    def _evaluate(
        self, round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid, timeout: float, result: Result
    ) -> None:
        if messages := list(self.configure_evaluate(round, arrays, config, grid)):
            metrics = self.aggregate_evaluate(round, exchange(grid, messages, timeout))
            result.evaluate_metrics_clientapp[round] = metrics or MetricRecord()

    def _messages(
        self, kind: str, clients: Sequence[int], round: int, arrays: ArrayRecord, config: ConfigRecord
    ) -> list[Message]:
        numbers = {"server-round": round, "num-rounds": max(self._rounds, round)}
        train = {"adapted": self._adapted and self._evaluates(round)}
        also = train if kind == "train" else {"pooled": self._pooled is not None}
        inbox = {member: pack(payload) for member, payload in self.progress.inbox.items()}
        content = ask(arrays, inbox, {**config, **numbers, **also})
        return [Message(content, self._members[c].node, kind, group_id=str(round)) for c in clients]

    def _meet(self, reply: TrainReply) -> None:
        """Brings weights and the server's memory to the device of the replies, where they are averaged."""
        received = (reply.report.weights, *reply.payloads.values())
        there = next((tensor.device for tensors in received for tensor in tensors.values()), PROCESSOR)
        self._shared.update(moved(self._shared, there))
        self.progress.state.update(moved(self.progress.state, there))

    def _note(self, reply: TrainReply) -> bool:
        """Keeps the client's row and counts its bytes; whether it came in time."""
        report, up = reply.report, reply.up
        self._result.up += up
        row: Row = {"client": report.client, "examples": report.examples, "loss": report.loss}
        row |= {"seconds": reply.seconds, "bytes.up": up, **reply.extra}
        system, down = self._conditions.system, self._result.down // max(self._result.asked, 1)
        took = system.duration(report.client, images=reply.images, down=down, up=up, seed=self._seed)
        if took is not None:
            row |= {"simulated_seconds": sum(took)} | {f"simulated_seconds.{n}": t for n, t in took._asdict().items()}
        if system.late(took):
            self._result.missing.append(row | {"late": 1})
            return False
        self._result.clients.append(row)
        return True
