import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Error, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg as FlowerFedAvg

from fedmed.engine.local import InProcessGrid
from fedmed.flower import ClientError, RoundResult, ServerState, strategy
from fedmed.flower.records import pack, unpack
from fedmed.method import Batch, Client, Method, chain
from fedmed.server import AverageServerOptimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate, grid_of, initial, same, strategy_of

TOY = TOYS["multiclass"].with_train(0, lambda held: held[:5])


class Remote(Grid):
    """A grid as Flower has them: node ids are random, replies come in any order, and it is not a LocalGrid."""

    def __init__(self, inner: InProcessGrid, clients: int = 3) -> None:
        self._inner = inner
        ids = random.Random(0).sample(range(10**9), clients)
        self._node = dict(zip(ids, range(1, clients + 1), strict=True))
        self.asked: list[str] = []

    @property
    def run(self) -> Any:
        return self._inner.run

    def set_run(self, run: Any) -> None:
        self._inner.set_run(run)

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        return self._inner.create_message(*args, **kwargs)

    def get_node_ids(self) -> Iterable[int]:
        return list(self._node)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        replies, names = [], {inner: outer for outer, inner in self._node.items()}
        for message in messages:
            kind, group = message.metadata.message_type, message.metadata.group_id
            self.asked.append(kind)
            inner = Message(message.content, self._node[message.metadata.dst_node_id], kind, group_id=group)
            (reply,) = self._inner.send_and_receive([inner])
            reply.metadata.__dict__["_src_node_id"] = names[reply.metadata.src_node_id]
            replies.append(reply)
        return sorted(replies, key=lambda reply: reply.metadata.src_node_id)


@dataclass(frozen=True, kw_only=True)
class Breaks(Method):
    """Fails at some clients."""

    clients: tuple[int, ...] = ()

    def penalty(self, client: Client, batch: Batch) -> float:
        if client.id in self.clients:
            raise KeyError(f"lost at {client.id}")
        return 0.0


def test_flowers_own_fedavg_runs_our_clients_and_agrees() -> None:
    grid = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    with torch.random.fork_rng(devices=[]):
        result = FlowerFedAvg().start(grid, pack(initial(TOY, FedAvg())), 3)
    ours = federate(TOY, FedAvg(), rounds=3)
    theirs = unpack(result.arrays)
    assert theirs.keys() == ours.shared.keys()
    for name, tensor in ours.shared.items():
        if tensor.is_floating_point():
            torch.testing.assert_close(theirs[name], tensor, atol=1e-6, rtol=1e-5)
    assert result.evaluate_metrics_clientapp[3]["test.loss"] > 0


@pytest.mark.parametrize("method", [FedAvg(), chain(FedPer(), Scaffold())], ids=str)
@pytest.mark.parametrize("sampled", [None, 2])
def test_any_grid_gives_the_same_bits_as_a_local_one(method: Any, sampled: int | None) -> None:
    local = federate(TOY, method, rounds=3, clients_per_round=sampled)
    inner = grid_of(TOY, method, kind=InProcessGrid)
    remote = federate(TOY, method, rounds=3, clients_per_round=sampled, grid=Remote(inner))
    assert same(remote.shared, local.shared)
    assert same(remote.progress.inbox, local.progress.inbox)
    assert [[row["client"] for row in r.clients] for r in remote.results] == [
        [row["client"] for row in r.clients] for r in local.results
    ]


def test_a_failing_client_ends_the_run_with_its_reason_on_any_grid() -> None:
    grid = Remote(grid_of(TOY, Breaks(clients=(1,)), kind=InProcessGrid))
    with pytest.raises(ClientError, match=r"KeyError: 'lost at 1'"):
        federate(TOY, Breaks(clients=(1,)), grid=grid)


def test_all_clients_that_failed_are_named_with_their_reasons() -> None:
    grid = Remote(grid_of(TOY, Breaks(clients=(0, 2)), kind=InProcessGrid))
    with pytest.raises(ClientError) as caught:
        federate(TOY, Breaks(clients=(0, 2)), grid=grid)
    where = "client {0}, round 1, train, strategy test_strategy: expected an answer, got KeyError: 'lost at {0}'"
    for client, line in zip((0, 2), str(caught.value).splitlines(), strict=True):
        assert where.format(client) in line


def test_a_client_that_does_not_answer_in_time_is_named_not_left_out_of_the_average() -> None:
    class Lossy(Remote):
        def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
            replies = list(super().send_and_receive(messages, timeout=timeout))
            return replies[1:] if self.asked[-1] == "train" else replies

    grid = Lossy(grid_of(TOY, FedAvg(), kind=InProcessGrid))
    with pytest.raises(ClientError, match=r"client \d, round 1, train, strategy fedavg: .* no answer within 3600 s"):
        federate(TOY, FedAvg(), grid=grid)


def test_an_error_reply_is_never_averaged_away() -> None:
    plan = strategy(FedAvg())
    grid = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    messages = list(plan.configure_train(1, pack(initial(TOY, FedAvg())), ConfigRecord(), grid))
    good = [grid._app(message, grid.contexts[message.metadata.dst_node_id]) for message in messages[:2]]
    bad = Message(Error(1, "out of memory"), reply_to=messages[2])
    with pytest.raises(ClientError, match="out of memory"):
        plan.aggregate_train(1, [*good, bad])


def test_no_answer_at_all_is_an_error_not_an_empty_model() -> None:
    plan = strategy(FedAvg())
    with pytest.raises(ValueError, match="round 1: no client answered"):
        plan.aggregate_train(1, [])


def test_the_roster_is_asked_once_and_messages_go_out_in_client_order() -> None:
    grid = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    asked: list[str] = []
    send = grid.send_and_receive
    grid.send_and_receive = lambda messages, **rest: (
        asked.extend(m.metadata.message_type for m in messages),
        send(messages),
    )[1]
    remote, plan = Remote(grid), strategy_of(FedAvg(), clients_per_round=2)
    arrays = pack(initial(TOY, FedAvg()))
    rounds = [list(plan.configure_train(r, arrays, ConfigRecord(), remote)) for r in (1, 2)]
    assert remote.asked == ["query.roster"] * 3
    partitions = [[remote._node[m.metadata.dst_node_id] for m in messages] for messages in rounds]
    assert all(one == sorted(one) and len(one) == 2 for one in partitions)


def test_after_a_round_its_result_is_shown_and_may_end_the_run() -> None:
    seen: list[RoundResult] = []

    def stop(result: RoundResult) -> bool:
        seen.append(result)
        return result.round == 2

    grid = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    plan = strategy_of(FedAvg(), after_round=stop, adapted=True)
    plan.start(grid, pack(initial(TOY, FedAvg())), 5)
    assert [result.round for result in seen] == [1, 2]
    assert plan.progress.round == 2
    last = seen[-1]
    assert [row["client"] for row in last.clients] == [0, 1, 2]
    assert [row["examples"] for row in last.clients] == [5, 12, 12]
    assert all("adapted.accuracy" in row for row in last.clients)
    assert [row["client"] for row in last.evaluated] == [0, 1, 2]
    assert last.seconds.keys() == {"train", "aggregate", "evaluate"}
    assert all(seconds >= 0 for seconds in last.seconds.values())


def test_bytes_of_weights_and_payloads_are_counted_both_ways() -> None:
    ended = federate(TOY, Scaffold(), rounds=2, clients_per_round=2)
    weights = sum(t.numel() * t.element_size() for t in initial(TOY, Scaffold()).values())
    variates = sum(p.numel() * 4 for p in TOY.net().parameters())
    assert [r.up for r in ended.results] == [2 * (weights + variates)] * 2
    assert [r.down for r in ended.results] == [2 * weights, 2 * (weights + variates)]
    assert ended.results[0].clients[0]["bytes.up"] == weights + variates


def test_only_some_rounds_are_evaluated() -> None:
    ended = federate(TOY, FedAvg(), rounds=4, by_clients=True, due=lambda round: round % 2 == 0)
    assert [bool(result.evaluated) for result in ended.results] == [False, True, False, True]


def test_the_server_scores_the_new_weights_in_rounds_that_evaluate() -> None:
    scored: list[int] = []

    def score(round: int, arrays: ArrayRecord) -> MetricRecord:
        scored.append(round)
        return MetricRecord({"w": float(unpack(arrays)["head.bias"].sum())})

    grid = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    results: list[RoundResult] = []
    plan = strategy_of(FedAvg(), due=lambda r: r == 2, after_round=lambda r: bool(results.append(r)))
    plan.start(grid, pack(initial(TOY, FedAvg())), 2, evaluate_fn=score)
    assert scored == [2]
    assert results[1].server == {"w": float(results[1].shared["head.bias"].sum())}


def test_progress_says_where_to_go_on() -> None:
    straight = federate(TOY, Scaffold(), rounds=3)
    half = federate(TOY, Scaffold(), rounds=1)
    progress = replace(half.progress, inbox=dict(half.progress.inbox), state=dict(half.progress.state))
    rest = federate(TOY, Scaffold(), rounds=3, shared=half.shared, grid=half.grid, progress=progress)
    assert [result.round for result in rest.results] == [2, 3]
    assert same(rest.shared, straight.shared)


def test_nothing_is_left_to_do_after_the_last_round() -> None:
    shared = initial(TOY, FedAvg())
    done = federate(TOY, FedAvg(), rounds=2, shared=shared, progress=ServerState(round=2))
    assert done.results == []
    assert same(done.shared, shared)


def test_the_server_optimizer_steps_parameters_only() -> None:
    whole = federate(TOY, FedAvg(), rounds=1).shared
    names = frozenset(name for name, _ in TOY.net().named_parameters())
    half = federate(TOY, FedAvg(), rounds=1, optimizer=AverageServerOptimizer(lr=0.5), parameters=names).shared
    old = initial(TOY, FedAvg())
    for name, tensor in half.items():
        wanted = torch.lerp(old[name], whole[name], 0.5) if name in names else whole[name]
        assert torch.equal(tensor, wanted)


def test_shared_weights_of_a_round_are_not_overwritten_by_the_next() -> None:
    ended = federate(TOY, FedAvg(), rounds=3)
    alone = federate(TOY, FedAvg(), rounds=1)
    assert same(dict(ended.results[0].shared), alone.shared)


def test_without_a_history_the_result_is_that_of_the_last_round_alone() -> None:
    grid = grid_of(TOY, FedAvg())
    for history, rounds in ((True, [1, 2, 3]), (False, [3])):
        plan = strategy(FedAvg(), history=history)
        with torch.random.fork_rng(devices=[]):
            ended = plan.start(grid, pack(initial(TOY, FedAvg())), 3)
        assert list(ended.train_metrics_clientapp) == rounds
        assert list(ended.evaluate_metrics_clientapp) == rounds
