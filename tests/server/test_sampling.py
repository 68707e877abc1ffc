"""Who is asked: how often, in which proportion, and what happens when nobody is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.errors import UserError
from fedmed.run.rows import round_row
from fedmed.rundir.json_text import dumps
from fedmed.server import AvailabilitySampling, BySizeSampling, Conditions, Sampling, UniformSampling, sample
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate, initial, same

TOY = TOYS["multiclass"].with_train(0, lambda held: held[:3])
EVEN = dict.fromkeys(range(20), 10)


def drawn(sampling: Sampling, images: dict[int, int], count: int | None, rounds: int) -> list[list[int]]:
    return [sampling.draw(images, count, seed=0, round=r) for r in range(1, rounds + 1)]


@pytest.mark.parametrize("sampling", [UniformSampling(), BySizeSampling(), AvailabilitySampling()])
def test_who_is_asked_is_sorted_seeded_and_others_every_round(sampling: Sampling) -> None:
    rounds = drawn(sampling, EVEN, 4, 20)
    assert all(asked == sorted(set(asked)) and len(asked) <= 4 for asked in rounds)
    assert rounds == drawn(sampling, dict(reversed(EVEN.items())), 4, 20), "the order of the roster must not matter"
    assert len({tuple(asked) for asked in rounds}) > 15
    assert sampling.draw(EVEN, 4, seed=1, round=1) != rounds[0]


def test_uniform_is_the_sample_of_ever() -> None:
    assert drawn(UniformSampling(), EVEN, 6, 5) == [sample(range(20), 6, seed=0, round=r) for r in range(1, 6)]
    assert UniformSampling().draw(EVEN, None, seed=0, round=1) == list(range(20))


def test_one_by_size_is_drawn_in_proportion_to_its_images() -> None:
    counts = torch.zeros(3)
    for (client,) in drawn(BySizeSampling(), {0: 10, 1: 30, 2: 60}, 1, 3000):
        counts[client] += 1
    assert (counts / 3000 - torch.tensor([0.1, 0.3, 0.6])).abs().max() < 0.03


def test_two_by_size_are_drawn_one_after_another() -> None:
    # client 0 is first with .1, second after 1 with .3 * .1 / .7, after 2 with .6 * .1 / .4
    wanted = 0.1 + 0.3 * 0.1 / 0.7 + 0.6 * 0.1 / 0.4
    found = sum(0 in asked for asked in drawn(BySizeSampling(), {0: 10, 1: 30, 2: 60}, 2, 3000)) / 3000
    assert abs(found - wanted) < 0.03


def test_by_size_never_asks_those_without_images() -> None:
    assert drawn(BySizeSampling(), {0: 0, 1: 5, 2: 0, 3: 1}, 3, 3) == [[1, 3]] * 3


def test_those_drawn_by_size_count_alike_unless_told_otherwise() -> None:
    options: dict[str, Any] = {"rounds": 1, "clients_per_round": 2}
    alike = federate(TOY, FedAvg(), conditions=Conditions(sampling=BySizeSampling()), **options)
    images = federate(TOY, FedAvg(), conditions=Conditions(sampling=BySizeSampling(weigh="images")), **options)
    assert alike.results[0].clients == [{**row, "seconds": ours["seconds"]} for row, ours in _rows(images, alike)]
    assert {row["examples"] for row in alike.results[0].clients} == {3, 12}, "the test needs clients of unlike size"
    assert not same(alike.shared, images.shared)


def test_the_mean_alike_is_the_plain_mean() -> None:
    ended = federate(TOY, FedAvg(), rounds=1, clients_per_round=2, conditions=Conditions(sampling=BySizeSampling()))
    sent = [tensors for way, name, tensors in ended.grid.recorded if (way, name) == ("up", "arrays")]  # type: ignore[attr-defined]
    torch.testing.assert_close(ended.shared["head.weight"], (sent[0]["head.weight"] + sent[1]["head.weight"]) / 2)


def test_by_time_of_day_each_is_there_for_its_part_of_every_day() -> None:
    plan = AvailabilitySampling(period=8, share=0.25)
    rounds = drawn(plan, EVEN, None, 16)
    assert rounds[:8] == rounds[8:]
    assert [sum(client in asked for asked in rounds[:8]) for client in EVEN] == [2] * 20
    assert len({len(asked) for asked in rounds}) > 1
    assert drawn(AvailabilitySampling(share=1.0), EVEN, None, 3) == [list(range(20))] * 3
    assert [sum(len(asked) for asked in drawn(AvailabilitySampling(period=8, share=0.01), {0: 1}, None, 8))] == [1]


def test_a_trace_says_who_is_there_and_starts_again(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("0,1,0\n2, 1, 1\n\n1,0,0\n", encoding="utf-8")
    plan = AvailabilitySampling(path=str(file))
    assert drawn(plan, {0: 1, 1: 1, 2: 1}, None, 4) == [[0, 2], [2], [0, 2], [2]]
    assert drawn(plan, {0: 1, 1: 1, 2: 1}, 1, 2)[1] == [2]
    assert list(plan.faults(3)) == []
    assert [str(fault) for fault in plan.faults(4)] == [
        "sampling.path: expected a line for each of 4 clients, got none for [3]. Add a line for client 3."
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a,1", 1), ("0,1\n0,1", 2), ("0", 1), ("0,1,2", 1), ("0,", 1), ("-1,1", 1)],
    ids=["no number", "twice", "no rounds", "neither 0 nor 1", "empty", "negative"],
)
def test_a_damaged_trace_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(text, encoding="utf-8")
    (fault,) = AvailabilitySampling(path=str(file)).faults(1)
    assert f"trace.csv, line {line}" in fault.where


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    (fault,) = AvailabilitySampling(path=str(tmp_path / "none.csv")).faults(1)
    assert "no such file" in fault.got
    with pytest.raises(UserError):
        AvailabilitySampling(path=str(tmp_path)).draw({0: 1}, None, seed=0, round=1)


def test_a_round_without_anybody_passes_idle(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("0,0,1,0\n1,0,1,0\n2,0,0,0\n", encoding="utf-8")
    conditions = Conditions(sampling=AvailabilitySampling(path=str(trace)))
    ended = federate(TOY, Scaffold(), rounds=3, conditions=conditions, by_clients=True)
    first, second, third = ended.results
    assert same(dict(first.shared), initial(TOY, Scaffold()))
    assert (first.selected, second.selected, first.clients, first.up, first.down) == (0, 2, [], 0, 0)
    assert not same(dict(second.shared), dict(first.shared))
    assert same(dict(third.shared), dict(second.shared))
    assert ended.progress.round == 3
    assert len(first.evaluated) == 3
    row = round_row(first)
    assert (row["asked"], row["clients"]) == (0, 0)
    assert dumps({"loss": row["loss"]}) == '{"loss": null}'
    assert "client.mean.accuracy" in row


@pytest.mark.parametrize("sampling", [BySizeSampling(), AvailabilitySampling(period=4)], ids=lambda s: type(s).__name__)
def test_two_rounds_and_two_more_are_four(sampling: Sampling) -> None:
    options: dict[str, Any] = {"clients_per_round": 2, "conditions": Conditions(sampling=sampling)}
    whole = federate(TOY, Scaffold(), rounds=4, **options)
    half = federate(TOY, Scaffold(), rounds=2, **options)
    rest = federate(TOY, Scaffold(), rounds=4, shared=half.shared, grid=half.grid, progress=half.progress, **options)
    assert same(rest.shared, whole.shared)


def _rows(one: Any, other: Any) -> Any:
    return zip(one.results[0].clients, other.results[0].clients, strict=True)
