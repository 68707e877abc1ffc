"""Every strategy on another device: the bits of the processor, and no operation that mixes devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed import devices
from fedmed.client import Training
from fedmed.compression import QuantiseCompression, TopkCompression
from fedmed.data.augment import StandardAugment
from fedmed.data.examples import Examples
from fedmed.engine.cohort import CohortEngine
from fedmed.flower import ServerState, app_of
from fedmed.flower.records import save_memory
from fedmed.method import Chain, Client, Method, Payload, Report, Server, chain
from fedmed.optimizers import Optimizer
from fedmed.rundir import checkpoint
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.server import AdamServerOptimizer, Conditions, MomentumServerOptimizer
from fedmed.server.privacy import GaussianPrivacy
from tests.conformance.cases import Case, load
from tests.conformance.fresh import Bits, bits
from tests.fake_device import Elsewhere, elsewhere, home
from tests.toys import TOYS, TRAINING, Ended, Listening, Toy, classifier, federate, same, trainer_of

OPTIONS: dict[str, Any] = {
    "rounds": 4,
    "clients_per_round": 2,
    "seed": 1,
    "due": lambda round: round == 2,
    "by_clients": True,
    "adapted": True,
}


def trained(
    toy: Toy, method: Method | Chain, device: torch.device, training: Training = TRAINING, **options: Any
) -> Ended:
    """The federation with its clients' trainer on the device, and audited."""
    grid = options.pop("grid", None) or grid_on(device, toy, method, training)
    return federate(toy, method, grid=grid, training=training, **(OPTIONS | options))


def grid_on(device: torch.device, toy: Toy, method: Method | Chain, training: Training = TRAINING) -> Listening:
    toy = replace(toy, shares=tuple(replace(share, truth=share.train.y) for share in toy.shares))
    return Listening(app_of(trainer_of(toy, method, training, seed=1).replica(device)), len(toy.shares))


def assert_equal(got: Bits, expected: Bits) -> None:
    """Both on the processor; losses as text, since nan is not equal to itself."""
    assert list(map(str, got.losses)) == list(map(str, expected.losses))
    assert same(got.shared, expected.shared)
    assert same(got.server, expected.server)
    assert same(dict(enumerate(got.clients)), dict(enumerate(expected.clients)))


def brought_home(ended: Ended) -> Bits:
    found = bits(ended)
    return Bits(home(found.shared), home(found.server), [home(client) for client in found.clients], found.losses)


def test_another_device_has_the_bits_of_the_processor(case: Case) -> None:
    expected = bits(trained(case.toy, case.method, devices.PROCESSOR))
    with elsewhere() as device:
        ended = trained(case.toy, case.method, device)
    assert all(isinstance(tensor, Elsewhere) for tensor in ended.shared.values())
    assert_equal(brought_home(ended), expected)


def test_images_that_do_not_fit_are_sent_batch_by_batch(home: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = bits(trained(home.toy, home.method, devices.PROCESSOR))
    monkeypatch.setattr(devices, "room", lambda device, sharers: 4000)
    with elsewhere() as device:
        ended = trained(home.toy, home.method, device)
    assert_equal(brought_home(ended), expected)


def hidden(toy: Toy) -> Toy:
    """The same toy whose client k does not know class k, or the k-th quarter of every image."""

    def hide(examples: Examples, k: int) -> Examples:
        seen = torch.ones_like(examples.y, dtype=torch.bool)
        if seen.dim() == 3:
            seen[:, 2 * k : 2 * k + 2] = False
        else:
            seen[:, k] = False
        return Examples(examples.x, examples.y * seen, seen)

    for k in range(3):
        toy = toy.with_train(k, lambda examples, k=k: hide(examples, k))
    return toy


LESIONS, PLAIN = TOYS["lesions"], replace(TOYS["multiclass"], make=lambda: classifier(3, norm=False))


def strategy(name: str, **fields: Any) -> Method:
    return load(name)(**fields)


MORE: list[tuple[str, Toy, Method | Chain, dict[str, Any], dict[str, Any]]] = [
    ("fedmlp on hidden labels", hidden(TOYS["multilabel"]), strategy("fedmlp", warmup_rounds=2), {}, {}),
    ("fedmlp not adaptive", hidden(TOYS["multilabel"]), strategy("fedmlp", warmup_rounds=1, adaptive=False), {}, {}),
    (
        "fedia by adele",
        hidden(LESIONS),
        strategy("fedia", warmup_rounds=1, exempt_above=None),
        {},
        {"rounds": 6},
    ),
    (
        "fedia in pass",
        LESIONS,
        strategy(
            "fedia",
            warmup_rounds=1,
            when="in_pass",
            estimator="batch",
            trigger="linear",
            delta=0.0,
            exempt_above=None,
            adaptive=True,
            use_counts=True,
        ),
        {},
        {},
    ),
    (
        "fedegoists by hypernet",
        TOYS["multiclass"],
        strategy("fedegoists", benefit="hypernet", start="together", warmup=1),
        {},
        {},
    ),
    ("fednpr at random", TOYS["multiclass"], strategy("fednpr", assign="random", momentum=0.5, mix="add"), {}, {}),
    ("fedplvm drawn", TOYS["multiclass"], strategy("fedplvm", max_examples=3, correction="sum"), {}, {}),
    ("fedplvm means", TOYS["multiclass"], strategy("fedplvm", local_clusters="mean", global_clusters="none"), {}, {}),
    ("chain", TOYS["multiclass"], chain(strategy("fedprox"), strategy("fednpr"), strategy("moon")), {}, {}),
    ("nothing shared", TOYS["multiclass"], strategy("fedavg", local=("*",)), {}, {}),
    ("augmented", TOYS["segmentation"], strategy("fedavg"), {"augment": StandardAugment(noise=0.1)}, {}),
    ("clipped", TOYS["multilabel"], strategy("fedprox"), {"clip_norm": 0.1}, {}),
    (
        "adam that stays",
        TOYS["multiclass"],
        strategy("fedavg"),
        {"optimizer": Optimizer(name="adam", state="persist")},
        {},
    ),
    ("server momentum", PLAIN, strategy("fedavg"), {}, {"optimizer": MomentumServerOptimizer()}),
    ("server adam", PLAIN, strategy("scaffold"), {}, {"optimizer": AdamServerOptimizer()}),
    (
        "top-k",
        TOYS["multiclass"],
        strategy("fedavg"),
        {"compression": TopkCompression(fraction=0.1)},
        {"conditions": Conditions(compression=TopkCompression(fraction=0.1))},
    ),
    (
        "quantised",
        TOYS["multiclass"],
        strategy("fedprox"),
        {"compression": QuantiseCompression()},
        {"conditions": Conditions(compression=QuantiseCompression())},
    ),
    (
        "private",
        PLAIN,
        strategy("fedprox"),
        {},
        {"conditions": Conditions(privacy=GaussianPrivacy())},
    ),
]
"""More settings whose numbers are made or kept somewhere: name, toy, method, training, options of the strategy."""


@pytest.mark.parametrize(("toy", "method", "training", "options"), [row[1:] for row in MORE], ids=[r[0] for r in MORE])
def test_all_settings_have_the_bits_of_the_processor(
    toy: Toy, method: Method | Chain, training: dict[str, Any], options: dict[str, Any]
) -> None:
    if "conditions" in options and list(options["conditions"].faults(chain(method))):
        pytest.skip("Flower's privacy accountant is not installed")
    how = replace(TRAINING, **training)
    expected = bits(trained(toy, method, devices.PROCESSOR, how, **options))
    with elsewhere() as device:
        ended = trained(toy, method, device, how, **options)
    assert_equal(brought_home(ended), expected)


@dataclass(frozen=True, kw_only=True)
class Careless(Method):
    """Reports, hands on and remembers tensors of the processor."""

    def prepare(self, client: Client) -> None:
        held = [*client.inbox.values(), *client.state.values()]
        assert len(held) == (0 if client.round == 1 else 2)
        assert all(isinstance(tensor, Elsewhere) for tensor in held)

    def report(self, client: Client) -> Payload:
        client.state["here"] = torch.ones(3)
        return {"here": torch.ones(3)}

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        held = [*server.state.values(), *server.shared.values(), *(r.payload["here"] for r in reports)]
        assert all(isinstance(tensor, Elsewhere) for tensor in held)
        server.state["here"] = torch.ones(3)
        return {"here": torch.ones(3)}


def test_what_a_method_leaves_on_the_processor_comes_back_on_the_device() -> None:
    with elsewhere() as device:
        federate(PLAIN, Careless(), grid=grid_on(device, PLAIN, Careless()), rounds=3)


def test_a_cohort_has_the_bits_of_one_on_the_processor() -> None:
    def together(device: torch.device) -> Ended:
        trainer = trainer_of(PLAIN, strategy("fedavg"), seed=1).replica(device)
        with CohortEngine(size=2).grid(trainer, 3) as grid:
            return federate(PLAIN, strategy("fedavg"), grid=grid, **OPTIONS)

    expected = bits(together(devices.PROCESSOR))
    with elsewhere() as device:
        ended = together(device)
    assert_equal(brought_home(ended), expected)


def test_stopped_and_resumed_there_equals_straight_here(home: Case, tmp_path: Path) -> None:
    toy, method = home.toy, home.method
    expected = bits(trained(toy, method, devices.PROCESSOR))
    with elsewhere() as device:
        half = trained(toy, method, device, rounds=2)
        # as a run commits and restores: checkpoints hold tensors of the processor
        clients = {client: half.memory(client) for client in range(3)}
        kept = half.progress.kept()
        checkpoint.save(tmp_path, Checkpoint(round=2, shared=half.shared, server=kept, clients=clients))
        saved = checkpoint.load(tmp_path)
        assert saved is not None
        grid = grid_on(device, toy, method)
        for client, memory in saved.clients.items():
            save_memory(memory, grid.memory(client))
        progress = ServerState()
        progress.restore(saved.round, saved.server)
        ended = trained(toy, method, device, grid=grid, shared=saved.shared, progress=progress)
    losses = expected.losses[2:]
    assert_equal(brought_home(ended), replace(expected, losses=losses))
