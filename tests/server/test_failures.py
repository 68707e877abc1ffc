"""Clients that drop out: how often, and what a round without them comes to."""

from __future__ import annotations

import pytest

from fedmed.run.rows import client_rows, round_row
from fedmed.server import Conditions, DropoutFailures, NoneFailures
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate, initial, same

TOY = TOYS["multiclass"]


def lost(rate: float, round: int, seed: int = 0) -> list[int]:
    return DropoutFailures(rate=rate).lost(range(50), seed=seed, round=round)


def test_each_drops_out_at_the_rate() -> None:
    assert abs(sum(len(lost(0.3, round)) for round in range(60)) / 3000 - 0.3) < 0.03
    assert lost(0.3, 1) == lost(0.3, 1) != lost(0.3, 2)
    assert lost(0.3, 1) != lost(0.3, 1, seed=1)
    assert lost(0.0, 1) == NoneFailures().lost(range(50), seed=0, round=1) == []


def test_who_drops_out_does_not_depend_on_who_else_was_asked() -> None:
    plan = DropoutFailures(rate=0.3)
    assert plan.lost([4, 7, 9], seed=0, round=1) == [c for c in lost(0.3, 1) if c in (4, 7, 9)]


def test_those_that_drop_out_are_left_out_and_named() -> None:
    conditions = Conditions(failures=DropoutFailures(rate=0.5))
    ended = federate(TOY, Scaffold(), rounds=4, conditions=conditions)
    full = federate(TOY, Scaffold(), rounds=4)
    for result, whole in zip(ended.results, full.results, strict=True):
        gone = conditions.failures.lost([0, 1, 2], seed=0, round=result.round)
        assert [row["client"] for row in result.clients] == [c for c in (0, 1, 2) if c not in gone]
        assert [row for row in client_rows(result) if "dropout" in row] == [
            {"round": result.round, "client": client, "dropout": 1} for client in gone
        ]
        assert round_row(result).get("dropout", 0) == len(gone)
        assert result.selected == 3
        assert result.up == whole.up // 3 * (3 - len(gone))
    assert {len(result.clients) for result in ended.results} != {3}
    assert ended.results[0].down == full.results[0].down, "they got the weights before they dropped out"


@pytest.mark.parametrize("method", [FedAvg(), Scaffold()], ids=["fedavg", "scaffold"])
def test_a_round_in_which_all_drop_out_changes_nothing(method: FedAvg | Scaffold) -> None:
    conditions = Conditions(failures=DropoutFailures(rate=0.999999))
    ended = federate(TOY, method, rounds=2, conditions=conditions, by_clients=True, adapted=True)
    assert same(ended.shared, initial(TOY, method))
    assert (ended.progress.round, ended.progress.state, ended.progress.inbox) == (2, {}, {})
    assert all(len(result.evaluated) == 3 for result in ended.results)
    assert all(ended.memory(client) == {} for client in range(3))
