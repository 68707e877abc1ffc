"""The simulated clock: seconds by hand, deadlines, and what they leave out."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from fedmed.compression import QuantiseCompression
from fedmed.run.rows import client_rows, round_row
from fedmed.server import Conditions, NoneSystem, ProfileSystem
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, federate, initial, same

TOY = TOYS["multiclass"].with_train(0, lambda held: held[:5])
ALIKE = ProfileSystem(seconds_per_image=0.5, download=8, upload=2, spread=0)


def test_seconds_are_by_hand() -> None:
    # 3 MB at 8 Mbit/s, 10 images at .5 s, 1 MB at 2 Mbit/s
    took = ALIKE.duration(0, images=10, down=3_000_000, up=1_000_000, seed=0)
    assert took._asdict() == pytest.approx({"down": 3.0, "compute": 5.0, "up": 4.0})


def test_clients_are_spread_log_normally_around_the_median_and_keep_their_speed() -> None:
    plan = replace(ALIKE, spread=0.7)
    took = [plan.duration(client, images=2, down=10**6, up=250_000, seed=0) for client in range(800)]
    assert took[3] == plan.duration(3, images=2, down=10**6, up=250_000, seed=0)
    assert took[3] != plan.duration(3, images=2, down=10**6, up=250_000, seed=1)
    for speeds in ([log(t.compute) for t in took], [log(t.down) for t in took]):
        assert abs(np.mean(speeds)) < 0.08
        assert abs(np.std(speeds) - 0.7) < 0.06
    assert all(t.down == pytest.approx(t.up) for t in took), "a slow line is slow both ways"
    assert abs(np.corrcoef([t.compute for t in took], [t.down for t in took])[0, 1]) < 0.15


def test_the_server_waits_for_the_slowest_or_until_the_deadline() -> None:
    assert ALIKE.waited([3.0, 7.0], complete=True) == 7
    assert ALIKE.waited([3.0], complete=False) == 3
    assert ALIKE.waited([], complete=False) == 0
    hurried = replace(ALIKE, deadline=9.0)
    assert [hurried.waited(s, complete=c) for s, c in (([3.0], True), ([3.0], False), ([], False), ([], True))] == [
        3,
        9,
        9,
        0,
    ]
    took = hurried.duration(0, images=18, down=0, up=0, seed=0)
    assert (hurried.late(took), replace(hurried, deadline=8.9).late(took), ALIKE.late(took)) == (False, True, False)
    assert NoneSystem().waited([], complete=False) is None


def test_rows_say_how_long_and_weights_stay_as_they_are_without_a_deadline() -> None:
    ended = federate(TOY, Scaffold(), conditions=Conditions(system=ALIKE))
    assert same(ended.shared, federate(TOY, Scaffold()).shared)
    size = sum(t.numel() * t.element_size() for t in initial(TOY, Scaffold()).values())
    first = ended.results[0]
    rows = {row["client"]: row for row in client_rows(first)}
    assert rows[1]["simulated_seconds.down"] == pytest.approx(size * 1e-6)
    assert rows[1]["simulated_seconds.up"] == pytest.approx(4e-6 * rows[1]["bytes.up"])
    assert [rows[c]["simulated_seconds.compute"] for c in range(3)] == [2.5, 6, 6]
    parts = [rows[1][f"simulated_seconds.{part}"] for part in ("down", "compute", "up")]
    assert rows[1]["simulated_seconds"] == pytest.approx(sum(parts))
    assert round_row(first)["simulated_seconds"] == max(row["simulated_seconds"] for row in rows.values())
    assert "simulated_seconds" not in round_row(federate(TOY, FedAvg(), rounds=1).results[0])


def test_fewer_bytes_and_more_epochs_show() -> None:
    plain, more = Conditions(system=ALIKE), replace(TRAINING, epochs=3)
    fewer = replace(plain, compression=QuantiseCompression())
    small = replace(TRAINING, compression=QuantiseCompression())
    clock = [
        federate(TOY, FedAvg(), rounds=1, training=training, conditions=conditions).results[0].clients[1]
        for training, conditions in ((TRAINING, plain), (more, plain), (small, fewer))
    ]
    assert clock[1]["simulated_seconds.compute"] == 3 * clock[0]["simulated_seconds.compute"]
    assert clock[2]["simulated_seconds.up"] < 0.5 * clock[0]["simulated_seconds.up"]


def test_who_is_late_is_left_out_but_has_trained() -> None:
    ended = federate(TOY, Scaffold(), rounds=1, conditions=Conditions(system=replace(ALIKE, deadline=4.0)))
    (result,) = ended.results
    assert [row["client"] for row in result.clients] == [0]
    assert [(row["client"], row["late"]) for row in result.missing] == [(1, 1), (2, 1)]
    assert round_row(result)["late"] == 2
    assert round_row(result)["simulated_seconds"] == 4
    sent = [tensors for way, name, tensors in ended.grid.recorded if (way, name) == ("up", "arrays")]  # type: ignore[attr-defined]
    assert same(ended.shared, sent[0])
    assert ended.memory(1) != {}
    assert all("simulated_seconds" in row for row in client_rows(result))


def test_a_round_in_which_all_are_late_changes_nothing_at_the_server() -> None:
    ended = federate(TOY, Scaffold(), conditions=Conditions(system=replace(ALIKE, deadline=0.1)))
    assert same(ended.shared, initial(TOY, Scaffold()))
    assert [(len(r.clients), len(r.missing), r.simulated) for r in ended.results] == [(0, 3, 0.1)] * 2
    assert ended.progress.inbox == {}
