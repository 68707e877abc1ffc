"""Compression on numbers by hand, on the wire, and over rounds of a federation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed import rng
from fedmed.compression import Compression, NoneCompression, QuantiseCompression, TopkCompression
from fedmed.method import Method, chain
from fedmed.server import Conditions
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, Ended, federate, grid_of, initial, job_of, same, trainer_of

TOY = TOYS["multiclass"]
WEIGHTS = frozenset(name for name, _ in TOY.net().named_parameters())
LOSSY = [TopkCompression(fraction=0.1), QuantiseCompression()]


def draws() -> torch.Generator:
    return rng.generator(0, "test")


def compressed(compression: Compression, method: Any = None, **rest: Any) -> Ended:
    training = replace(TRAINING, compression=compression)
    return federate(TOY, method or FedAvg(), training=training, conditions=Conditions(compression=compression), **rest)


def test_topk_sends_the_largest_and_keeps_the_rest() -> None:
    anchor, weights = {"w": torch.ones(2, 2)}, {"w": torch.tensor([[1.5, -1.0], [4.0, 1.0]])}
    topk = TopkCompression(fraction=0.5)
    sent = topk.compress(weights, anchor, {"w"}, {}, draws())
    # change: [.5, -2, 3, 0]
    assert sent.tensors["w:indices"].tolist() == [2, 1]
    assert sent.tensors["w:values"].tolist() == [3, -2]
    assert sent.residual["w"].tolist() == [[0.5, 0], [0, 0]]
    assert topk.restore(sent.tensors, anchor)["w"].tolist() == [[1, -1], [4, 1]]
    # the next change [1, 1, 1, 1] and the residual: [1.5, 1, 1, 1]
    again = topk.compress({"w": anchor["w"] + 1}, anchor, {"w"}, sent.residual, draws())
    assert again.tensors["w:indices"][0] == 0
    assert again.tensors["w:values"][0] == 1.5


def test_what_topk_sends_over_time_is_all_that_was_learnt() -> None:
    topk, residual, total = TopkCompression(fraction=0.25), {}, torch.zeros(8)
    step = torch.linspace(-1, 2, 8)
    for _ in range(40):
        sent = topk.compress({"w": step}, {"w": torch.zeros(8)}, {"w"}, residual, draws())
        residual, total = sent.residual, total + topk.restore(sent.tensors, {"w": torch.zeros(8)})["w"]
    torch.testing.assert_close(total + residual["w"], 40 * step)
    assert residual["w"].abs().max() < 12


@pytest.mark.parametrize(("fraction", "entries"), [(0.001, 1), (0.1, 10), (0.07, 7), (1.0, 100)])
def test_topk_sends_that_part_and_at_least_one_entry(fraction: float, entries: int) -> None:
    parts = TopkCompression(fraction=fraction).encode(torch.randn(4, 25, generator=draws()), draws())
    assert (len(parts["indices"]), len(parts["values"])) == (entries, entries)
    assert (parts["indices"].dtype, parts["values"].dtype) == (torch.int32, torch.float32)


def test_quantised_levels_are_by_hand() -> None:
    # scale 127 / 127: 2.25 is 2 or 3, whole numbers are themselves
    change = torch.tensor([127.0, -3.0, 0.0, 2.25])
    parts = QuantiseCompression().encode(change, draws())
    assert (parts["levels"].dtype, parts["scale"].tolist()) == (torch.int8, [1.0])
    assert parts["levels"][:3].tolist() == [127, -3, 0]
    assert parts["levels"][3] in (2, 3)


def test_quantisation_keeps_the_mean_and_is_off_by_a_level_at_most() -> None:
    change, generator, quantise = torch.linspace(-1, 1, 37), draws(), QuantiseCompression()
    found = torch.stack([quantise.decode(quantise.encode(change, generator), change) for _ in range(2000)])
    assert (found - change).abs().max() <= 1 / 127 + 1e-6
    assert (found.mean(0) - change).abs().max() < 0.001


def test_no_change_is_none_after_quantisation() -> None:
    parts = QuantiseCompression().encode(torch.zeros(3), draws())
    assert QuantiseCompression().decode(parts, torch.zeros(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("compression", LOSSY, ids=lambda c: type(c).__name__)
def test_running_statistics_and_whole_numbers_go_as_they_are(compression: Compression) -> None:
    grid = grid_of(TOY, FedAvg(), replace(TRAINING, compression=compression))
    ended = compressed(compression, rounds=1, grid=grid)
    sent: dict[str, Tensor] = next(tensors for way, _, tensors in grid.recorded if way == "up")
    whole = {name for name in sent if ":" not in name}
    assert whole == initial(TOY, FedAvg()).keys() - WEIGHTS
    assert {name.partition(":")[0] for name in sent} - whole == WEIGHTS
    size = sum(t.numel() * t.element_size() for t in sent.values())
    assert [row["bytes.up"] for row in ended.results[0].clients] == [size] * 3
    assert ended.results[0].up == 3 * size < federate(TOY, FedAvg(), rounds=1).results[0].up
    assert ended.shared["features.norm.num_batches_tracked"] == 3


@pytest.mark.parametrize("compression", [TopkCompression(fraction=1.0), QuantiseCompression()])
def test_what_is_nearly_all_is_nearly_fedavg(compression: Compression) -> None:
    plain, sent = federate(TOY, FedAvg()).shared, compressed(compression).shared
    for name, tensor in plain.items():
        torch.testing.assert_close(sent[name], tensor, atol=2e-2, rtol=0.05, msg=lambda m, name=name: f"{name}: {m}")
    assert not same(sent, plain)


def test_no_compression_is_what_there_was() -> None:
    assert same(compressed(NoneCompression()).shared, federate(TOY, FedAvg()).shared)


@pytest.mark.parametrize("method", [FedAvg(), chain(Scaffold(), FedBN()), FedPer()], ids=str)
@pytest.mark.parametrize("compression", LOSSY, ids=lambda c: type(c).__name__)
def test_two_rounds_and_two_more_are_four(compression: Compression, method: Method) -> None:
    whole = compressed(compression, method, rounds=4, clients_per_round=2)
    half = compressed(compression, method, rounds=2, clients_per_round=2)
    options: dict[str, Any] = {"shared": half.shared, "grid": half.grid, "progress": half.progress}
    rest = compressed(compression, method, rounds=4, clients_per_round=2, **options)
    assert same(rest.shared, whole.shared)
    assert all(same(rest.memory(client), whole.memory(client)) for client in range(3))
    assert all(("@residual" in whole.memory(client)) == compression.feedback for client in range(3))


def test_rounding_is_seeded_by_round_and_client() -> None:
    trainer = trainer_of(TOY, FedAvg(), replace(TRAINING, compression=QuantiseCompression()))
    g = draws()
    anchor = {name: tensor - torch.rand(tensor.shape, generator=g) for name, tensor in trainer.shared.items()}
    jobs = [job_of(trainer, client, round, shared=anchor) for client, round in ((0, 1), (0, 1), (0, 2), (1, 1))]
    one, again, later, other = (trainer.compress(job, {}) for job in jobs)
    assert same(one, again)
    assert not same(one, later)
    assert not same(one, other)


@pytest.mark.parametrize("compression", LOSSY, ids=lambda c: type(c).__name__)
def test_a_federation_learns_all_the_same(compression: Compression) -> None:
    ended = compressed(compression, rounds=8)
    assert ended.losses[-1] < 0.8 * ended.losses[0]
