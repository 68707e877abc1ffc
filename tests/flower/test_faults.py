"""A client at fault is a row; the round goes on without it, or the run stops: on every engine, with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from fedmed.engine.local import InProcessGrid
from fedmed.engine.pool import PoolEngine
from fedmed.engine.threads import ThreadsEngine
from fedmed.flower import ClientError, FaultRow, FaultTolerance
from fedmed.method import chain
from fedmed.server import Conditions
from fedmed.strategies.scaffold import Scaffold
from tests.faulty import CLIENT, EVALUATION, MESSAGES, ROUND, TRAINING, Away, Faulty, OutageError, Tampered
from tests.flower.test_strategy import Remote
from tests.toys import TOYS, Ended, federate, grid_of, multiclass, same, shared_out, trainer_of

TOY = replace(TOYS["multiclass"], shares=shared_out(multiclass, 7))
"""More clients than two workers have slots."""

SKIP = FaultTolerance(on_client_error="skip")


def run(kind: str, grid: Any = None, tolerance: FaultTolerance = SKIP, **options: Any) -> tuple[Ended, list[FaultRow]]:
    rows: list[FaultRow] = []
    method = chain(Scaffold(), Faulty(kind=kind))
    grid = grid or grid_of(TOY, method, kind=InProcessGrid)
    return federate(TOY, method, rounds=3, grid=grid, tolerance=tolerance, on_fault=rows.append, **options), rows


@pytest.fixture(scope="module")
def without() -> Ended:
    """The same rounds, in one of which the client is away."""
    return run("", conditions=Conditions(failures=Away()))[0]


def check(ended: Ended, without: Ended) -> None:
    """Every bit is that of a run in which the client was away."""
    assert same(ended.shared, without.shared)
    assert same(ended.progress.inbox, without.progress.inbox)
    assert same(ended.progress.state, without.progress.state)
    for client in range(len(TOY.shares)):
        assert same(ended.memory(client), without.memory(client)), client
    row = {"client": CLIENT, "fault": 1}
    assert [result.missing for result in ended.results] == [[], [row], []]


@pytest.fixture(scope="module")
def settings() -> Iterator[None]:
    before = torch.get_num_threads(), torch.get_default_dtype()
    yield
    assert (torch.get_num_threads(), torch.get_default_dtype()) == before


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_round_goes_on_without_a_client_at_fault(kind: str, without: Ended, settings: None) -> None:
    ended, (row,) = run(kind)
    assert row | {"what": ""} == {"round": ROUND, "client": CLIENT, "stage": "train", "what": ""}
    assert MESSAGES[kind] in row["what"]
    check(ended, without)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_run_stops_at_a_client_at_fault_and_names_it(kind: str) -> None:
    with pytest.raises((ClientError, OutageError)) as raised:
        run(kind, tolerance=FaultTolerance())
    message = " ".join([str(raised.value), *getattr(raised.value, "__notes__", [])])
    assert f"client {CLIENT}, round {ROUND}, train, strategy scaffold+faulty" in message
    assert "fedmed run resume=DIR" in message


@pytest.mark.parametrize("kind", TRAINING)
def test_an_answer_that_is_amiss_is_left_out_and_its_client_named(kind: str, without: Ended) -> None:
    tamper, message = TRAINING[kind]
    grid = grid_of(TOY, chain(Scaffold(), Faulty()), kind=InProcessGrid)
    grid._app = Tampered(grid._app, "train", tamper)
    ended, (row,) = run("", grid)
    assert (row["client"], row["round"], row["stage"]) == (CLIENT, ROUND, "train")
    assert message in row["what"]
    check(ended, without)


@pytest.mark.parametrize("kind", EVALUATION)
def test_an_evaluation_that_is_amiss_is_left_out_and_its_client_named(kind: str) -> None:
    tamper, message = EVALUATION[kind]
    grid = grid_of(TOY, chain(Scaffold(), Faulty()), kind=InProcessGrid)
    grid._app = Tampered(grid._app, "evaluate", tamper)
    ended, (row,) = run("", grid, by_clients=True)
    assert (row["client"], row["round"], row["stage"]) == (CLIENT, ROUND, "evaluate")
    assert message in row["what"]
    assert same(ended.shared, run("")[0].shared)
    others = [client for client in range(7) if client != CLIENT]
    assert [row["client"] for row in ended.results[ROUND - 1].evaluated] == others


def threads(kind: str) -> Any:
    return ThreadsEngine(workers=2).grid(trainer_of(TOY, chain(Scaffold(), Faulty(kind=kind))), len(TOY.shares))


def remote(kind: str) -> Any:
    """A grid as Flower's, which gathers answers; clients' memory stays with them."""
    return Remote(grid_of(TOY, chain(Scaffold(), Faulty(kind=kind)), kind=InProcessGrid), len(TOY.shares))


@pytest.fixture(scope="module")
def pools() -> Iterator[Any]:
    """pools(kind): a grid of two workers whose client is at fault."""
    opened: list[Any] = []

    def pool(kind: str) -> Any:
        trainer = trainer_of(TOY, chain(Scaffold(), Faulty(kind=kind)))
        opened.append(PoolEngine(workers=2).grid(trainer, len(TOY.shares)))
        return opened[-1]

    yield pool
    for grid in opened:
        grid.close()


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_pool_goes_on_without_a_client_at_fault_with_the_same_bits(kind: str, without: Ended, pools: Any) -> None:
    ended, (row,) = run(kind, pools(kind))
    assert (row["client"], row["round"], row["stage"]) == (CLIENT, ROUND, "train")
    assert MESSAGES[kind] in row["what"]
    check(ended, without)


@pytest.mark.parametrize(
    "kind", ["raises", "nan weights", "memory changed", "nan payload", "another head", "nan penalty"]
)
@pytest.mark.parametrize("make", [threads, remote])
def test_other_engines_go_on_with_the_same_bits(make: Callable[[str], Any], kind: str, without: Ended) -> None:
    grid = make(kind)
    ended, (row,) = run(kind, grid)
    assert (row["client"], row["round"], row["stage"]) == (CLIENT, ROUND, "train")
    ended.grid = grid._inner if isinstance(grid, Remote) else grid
    check(ended, without)


@pytest.mark.usefixtures("spawn_quickly")
def test_a_pool_ends_a_client_that_hangs(without: Ended, pools: Any) -> None:
    ended, (row,) = run("hangs", pools("hangs"), replace(SKIP, client_timeout=1.0))
    assert (row["client"], row["what"]) == (CLIENT, "no answer within client_timeout=1 s")
    check(ended, without)


@pytest.mark.usefixtures("spawn_quickly")
def test_a_pool_ends_a_run_whose_client_hangs_and_names_it(pools: Any) -> None:
    with pytest.raises(ClientError, match=r"client 3, round 2, train, .* no answer within client_timeout=1 s"):
        run("hangs", pools("hangs"), FaultTolerance(client_timeout=1.0))


@pytest.mark.filterwarnings("ignore:client 3. its worker process")
@pytest.mark.usefixtures("spawn_quickly")
def test_a_pool_goes_on_without_a_client_that_is_the_death_of_its_workers(without: Ended, pools: Any) -> None:
    ended, (row,) = run("exits", pools("exits"))
    assert (row["client"], row["stage"]) == (CLIENT, "train")
    assert "2 that were gone with exit code 3" in row["what"]
    check(ended, without)


def test_in_one_process_a_client_that_took_too_long_is_left_out_once_it_is_done(without: Ended) -> None:
    grid = grid_of(TOY, chain(Scaffold(), Faulty()), kind=InProcessGrid)
    grid._app = Tampered(grid._app, "train", lambda content: content["metrics"].__setitem__("seconds", 9.0))
    ended, (row,) = run("", grid, replace(SKIP, client_timeout=5.0))
    assert row["what"] == "expected an answer within client_timeout=5 s, got one after 9 s"
    check(ended, without)


def test_too_few_clients_left_end_the_run() -> None:
    with pytest.raises(ClientError, match=r"round 2, train: expected answers of at least min_clients=7 clients, got 6"):
        run("raises", tolerance=replace(SKIP, min_clients=7))
    run("raises", tolerance=replace(SKIP, min_clients=6))
