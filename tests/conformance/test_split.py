"""Models of their own: a fixed partition is each part run alone, to the bit, whatever the strategy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.compression import Compression, QuantiseCompression, TopkCompression
from fedmed.engine.pool import PoolEngine
from fedmed.errors import UserError
from fedmed.flower import RoundResult, ServerState
from fedmed.flower.records import save_memory
from fedmed.method import Chain, Method, Payload, Report, Server, chain
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.server import (
    AverageServerOptimizer,
    Conditions,
    DropoutFailures,
    Failures,
    GaussianPrivacy,
    ModelGroup,
    ProfileSystem,
    SplitAggregation,
)
from fedmed.strategies.fedavg import FedAvg
from tests.conformance.cases import Case
from tests.toys import (
    TOYS,
    TRAINING,
    Ended,
    Listening,
    Toy,
    federate,
    finite,
    grid_of,
    multiclass,
    same,
    shared_out,
    trainer_of,
)

PARTS = ((0, 2), (1,))


@dataclass(frozen=True, kw_only=True)
class Parts(Method):
    """Every client in the part that names it; a client that none names keeps what it has."""

    parts: tuple[tuple[int, ...], ...] = PARTS

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
        together = [[any({c, r.client} <= {*part} for part in self.parts) for r in reports] for c in server.clients]
        return torch.tensor(together, dtype=torch.float64)


@pytest.fixture
def method(method: Method) -> Method:
    """The strategy, which may not say itself who gets which model; tests of those that do see to these laws."""
    if chain(method).has("split"):
        pytest.skip(f"{chain(method)} says itself who gets which model")
    return method


class Only(Listening):
    """A grid on which some clients are the whole federation."""

    clients: tuple[int, ...] = ()

    def get_node_ids(self) -> list[int]:
        return [client + 1 for client in self.clients]


def alone(toy: Toy, method: Method | Chain, clients: tuple[int, ...], rounds: int = 3) -> Ended:
    grid = grid_of(toy, method, kind=Only)
    grid.clients = clients
    return federate(toy, method, rounds=rounds, grid=grid)


def test_a_fixed_partition_is_each_part_run_alone(case: Case, method: Method) -> None:
    split = federate(case.toy, chain(Parts(), method), rounds=3)
    for part, group in zip(PARTS, split.progress.groups, strict=True):
        single = alone(case.toy, method, part)
        assert group.clients == part
        assert same(group.shared, single.shared)
        assert same(dict(group.inbox), single.progress.inbox)
        assert same(group.state, single.progress.state)
        assert all(same(split.memory(client), single.memory(client)) for client in part)


def test_one_part_that_holds_all_is_the_method_itself(case: Case, method: Method) -> None:
    split = federate(case.toy, chain(Parts(parts=((0, 1, 2),)), method), rounds=3)
    plain = federate(case.toy, method, rounds=3)
    (group,) = split.progress.groups
    assert same(group.shared, plain.shared)
    assert same(dict(group.inbox), plain.progress.inbox)
    assert same(group.state, plain.progress.state)
    assert all(same(split.memory(client), plain.memory(client)) for client in range(3))
    assert split.losses == plain.losses


def test_a_neutral_member_changes_no_bit_beside_a_split(home: Case, method: Method) -> None:
    if home.name == "fedavg":
        pytest.skip("fedavg is the neutral member")
    one = federate(home.toy, chain(Parts(), method), rounds=2)
    other = federate(home.toy, chain(Parts(), method, FedAvg()), rounds=2)
    assert_equal(one, other)


def test_a_split_run_stopped_and_resumed_equals_a_straight_one(home: Case, method: Method, tmp_path: Path) -> None:
    both = chain(Parts(), method)
    straight, half = (federate(home.toy, both, rounds=rounds, clients_per_round=2) for rounds in (4, 2))
    clients = {client: half.memory(client) for client in range(3)}
    checkpoint.save(tmp_path, Checkpoint(round=2, shared=half.shared, server=half.progress.kept(), clients=clients))
    saved = checkpoint.load(tmp_path)
    assert saved is not None
    grid = grid_of(home.toy, both)
    for client, memory in saved.clients.items():
        save_memory(memory, grid.memory(client))
    progress = ServerState()
    progress.restore(saved.round, saved.server)
    how = {"clients_per_round": 2, "shared": saved.shared, "grid": grid, "progress": progress}
    assert_equal(federate(home.toy, both, rounds=4, **how), straight)


def test_two_workers_have_the_bits_of_one_process(home: Case, method: Method) -> None:
    both = chain(Parts(), method)
    one = federate(home.toy, both, rounds=2)
    with PoolEngine(workers=2).grid(trainer_of(home.toy, both), 3) as pool:
        assert_equal(federate(home.toy, both, rounds=2, grid=pool), one)


def test_more_models_than_workers_pass_through_the_pool() -> None:
    toy = Toy(task=TOYS["multiclass"].task, shares=shared_out(multiclass, 7), make=TOYS["multiclass"].make)
    each = chain(Parts(parts=tuple((client,) for client in range(7))))
    one = federate(toy, each, rounds=3)
    with PoolEngine(workers=2).grid(trainer_of(toy, each), 7) as pool:
        assert_equal(federate(toy, each, rounds=3, grid=pool), one)
    assert len(one.progress.groups) == 7


def test_clients_drop_out_of_a_split_round(home: Case, method: Method) -> None:
    both, conditions = chain(Parts(), method), Conditions(failures=DropoutFailures(rate=0.4))
    ended = federate(home.toy, both, rounds=6, conditions=conditions)
    assert any(result.missing for result in ended.results), "nobody dropped out"
    assert [group.clients for group in ended.progress.groups] == [*PARTS]
    assert all(finite(group.shared) for group in ended.progress.groups)


@dataclass(frozen=True, kw_only=True)
class Gone(Failures):
    """Client 1 drops out of round 2."""

    def lost(self, selected: Sequence[int], *, seed: int, round: int) -> list[int]:
        return [client for client in selected if (client, round) == (1, 2)]


def test_a_group_of_which_nobody_answers_keeps_its_model_inbox_and_memory(home: Case, method: Method) -> None:
    both = chain(Parts(), method)
    gone = Conditions(failures=Gone())
    one, two = (federate(home.toy, both, conditions=gone, after_round=_stop(last)) for last in (1, 2))
    (grown, left), (before, kept) = two.progress.groups, one.progress.groups
    assert left.clients == (1,)
    assert same(left.shared, kept.shared)
    assert same(dict(left.inbox), dict(kept.inbox))
    assert same(left.state, kept.state)
    assert not same(grown.shared, before.shared)


def _stop(last: int) -> Callable[[RoundResult], bool]:
    return lambda result: result.round == last


def test_other_hooks_read_what_split_keeps_for_all_models() -> None:
    seen: list[tuple[tuple[int, ...], Any]] = []

    class Keeps(Parts):
        def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
            server.state["round"] = server.round
            return super().split(server, reports)

        def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
            seen.append((server.clients, dict(server.common)))
            assert "round" not in server.state
            return {}

    federate(TOYS["multiclass"], Keeps(), rounds=2)
    assert seen == [(part, {"round": round}) for round in (1, 2) for part in PARTS]


def test_clients_of_a_split_group_that_answers_no_more_share_what_it_had() -> None:
    group = ModelGroup(clients=(0, 1, 2), shared={"w": torch.ones(1)}, state={"x": {"n": 1}})
    rows = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    after = _after([group], rows, [(0, 5.0)])
    left = ((1, 2), 1.0, {"x": {"n": 1}})
    assert [(g.clients, g.shared["w"].item(), g.state) for g in after] == [((0,), 5.0, {"test_split": {}}), left]


def test_dense_rows_weigh_and_start_from_the_mean_of_what_counts() -> None:
    groups = [ModelGroup(clients=(k,), shared={"w": torch.full((1,), w)}) for k, w in enumerate((0.0, 8.0))]
    rows = torch.tensor([[3.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
    seen: list[tuple[tuple[int, ...], float]] = []
    first, second = _after(groups, rows, [(0, 1.0), (1, 5.0)], seen)
    assert (first.shared["w"].item(), second.shared["w"].item()) == (2.0, 5.0)  # (3 * 1 + 1 * 5) / 4, and 5
    assert seen == [((0,), 2.0), ((1,), 8.0)]  # (3 * 0 + 1 * 8) / 4, and its own


def _after(
    groups: list[ModelGroup],
    rows: Tensor,
    sent: list[tuple[int, float]],
    seen: list[tuple[tuple[int, ...], float]] | None = None,
) -> list[ModelGroup]:
    """The groups after a round in which clients sent so much."""

    class Given(Method):
        def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
            return rows

        def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
            if seen is not None:
                seen.append((server.clients, old["w"].item()))
            return mean

    server = Server(round=1, rounds=1, seed=0, clients=tuple(range(len(rows))), shared={"w": torch.zeros(1)}, state={})
    going = SplitAggregation(chain(Given()), server, AverageServerOptimizer(), frozenset({"w"}), groups=groups)
    for client, value in sent:
        weights = {"w": torch.full((1,), value)}
        going.add(Report(client=client, examples=1, loss=0.0, payload={}, weights=weights), {})
    return going.finish()[1]


def test_bytes_messages_and_the_clock_are_those_of_each_clients_own_model() -> None:
    toy, conditions = TOYS["multiclass"], Conditions(system=ProfileSystem())
    ended = federate(toy, chain(Parts()), rounds=3, conditions=conditions)
    plain = federate(toy, FedAvg(), rounds=3, conditions=conditions)
    assert [result.down for result in ended.results] == [result.down for result in plain.results]
    one, other = ([r["simulated_seconds.down"] for result in e.results for r in result.clients] for e in (ended, plain))
    assert one == other
    assert min(one) > 0
    sent = [tensors["head.bias"] for way, name, tensors in ended.grid.recorded if (way, name) == ("down", "arrays")]
    assert [torch.equal(sent[0], other) for other in sent[1:3]] == [True, True]
    assert [torch.equal(sent[3], other) for other in sent[4:6]] == [False, True]


@pytest.mark.parametrize("compression", [TopkCompression(fraction=0.5), QuantiseCompression()], ids=repr)
def test_compression_restores_against_each_clients_own_model(compression: Compression) -> None:
    toy = TOYS["multiclass"]
    training, conditions = replace(TRAINING, compression=compression), Conditions(compression=compression)
    split = federate(toy, chain(Parts()), rounds=3, training=training, conditions=conditions)
    for part, group in zip(PARTS, split.progress.groups, strict=True):
        grid = grid_of(toy, FedAvg(), training, kind=Only)
        grid.clients = part
        single = federate(toy, FedAvg(), rounds=3, training=training, conditions=conditions, grid=grid)
        assert same(group.shared, single.shared)


def test_two_that_split_and_privacy_are_refused() -> None:
    with pytest.raises(UserError, match=r"at most one method that overrides split"):
        chain(Parts(), type("Others", (Parts,), {"__module__": "others"})())
    with pytest.raises(UserError, match=r"privacy=gaussian: expected .*, got test_split, which gives clients models"):
        federate(TOYS["multiclass"], Parts(), conditions=Conditions(privacy=GaussianPrivacy()))


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (torch.ones(3), r"a tensor of shape \(3,\)"),
        (torch.ones(2, 3), r"a tensor of shape \(2, 3\)"),
        (torch.full((3, 3), -1.0), "-1 to -1"),
        (torch.full((3, 3), torch.nan), "nan to nan"),
        ([[1.0]], "list"),
    ],
    ids=["vector", "too few clients", "negative", "NaN", "a list"],
)
def test_rows_of_another_form_are_refused(rows: object, got: str) -> None:
    class Wrong(Method):
        def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
            return rows  # type: ignore[return-value]

    with pytest.raises(UserError, match=rf"split, round 1: expected .*, got {got}"):
        federate(TOYS["multiclass"], Wrong())


def assert_equal(one: Ended, other: Ended) -> None:
    """Same models, inboxes, memories of server and clients."""
    assert same(one.progress.kept(), other.progress.kept())
    assert same(one.shared, other.shared)
    assert all(same(one.memory(client), other.memory(client)) for client in range(3))
