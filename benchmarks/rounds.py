"""Seconds per round against the bare loop, alternating: fedmed in process, both memory layouts.

    python benchmarks/rounds.py [--workloads ABCD] [--repeats 7] [--rounds 8] [--strategies fedavg,moon]

The ratio to the channels_last loop shows the engine's own cost apart from the layout's gain. Framework cost is
(fedmed - channels_last compute alone) per client and round; workload D, with next to no compute, shows it best.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))

from bare_loop import BATCH, CLASSES, LR, WORKLOADS, Data, OnRound, Workload, bare_loop, make_data, measure

from fedmed.client import Trainer, TrainerSpec, Training
from fedmed.data.examples import Examples
from fedmed.data.world import Share
from fedmed.engine.base import Engine
from fedmed.engine.cohort import CohortEngine
from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.pool import PoolEngine
from fedmed.engine.threads import ThreadsEngine
from fedmed.flower import EvaluationPlan, RoundCallbacks, ServerSettings, strategy
from fedmed.flower.records import pack
from fedmed.method import Method, chain
from fedmed.models.net import Model
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.start import create
from fedmed.optimizers import Optimizer
from fedmed.tasks import MultiClass

ENGINES: dict[str, Callable[[int], Engine]] = {
    "inprocess": lambda workers: InprocessEngine(),
    "threads": lambda workers: ThreadsEngine(workers=workers),
    "pool": lambda workers: PoolEngine(workers=workers),
    "cohort": lambda workers: CohortEngine(size=10),
}
"""Engines by name, for a number of workers."""

IN_PROCESS, CNN = InprocessEngine(), SmallCnn()
METHODS = {"fedavg": "FedAvg", "fedprox": "FedProx", "scaffold": "Scaffold", "moon": "Moon"}


def fedmed_rounds(
    workload: Workload,
    rounds: int,
    on_round: OnRound,
    data: Data,
    *,
    method: Method,
    engine: Engine = IN_PROCESS,
    model: Model = CNN,
) -> None:
    """The workload through ClientApp, ServerApp messages and an engine's grid."""
    shares = [Share(Examples(x, y), Examples(x[:0], y[:0]), Examples(x[:0], y[:0])) for x, y in data]
    net = create(model, channels=1, outputs=CLASSES, side=28, seed=0)
    trainer = Trainer(
        TrainerSpec(
            net=net,
            chain=chain(method),
            task=MultiClass(classes=CLASSES),
            training=Training(optimizer=Optimizer(lr=LR), batch_size=BATCH),
            share=shares.__getitem__,
            normalise=Tensor.float,
            seed=0,
            channels_last=model.channels_last,
        )
    )

    def after_round(result: object) -> bool:
        on_round()
        return False

    server = strategy(
        method,
        ServerSettings(clients_per_round=workload.per_round),
        evaluation=EvaluationPlan(due=lambda round: False),
        callbacks=RoundCallbacks(after_round=after_round),
    )
    initial = pack({name: tensor.clone() for name, tensor in net.state_dict().items()})
    with engine.grid(trainer, workload.clients) as grid:
        server.start(grid, initial, rounds)


def compute_only(workload: Workload, rounds: int, on_round: OnRound, data: Data, *, model: Model = CNN) -> None:
    """The training steps of a round on fedmed's net, with no exchange of weights at all."""
    layout = torch.channels_last if model.channels_last else torch.contiguous_format
    net = create(model, channels=1, outputs=CLASSES, side=28, seed=0)
    optimizer = torch.optim.SGD(net.parameters(), lr=LR)
    for _ in range(rounds):
        for x, y in data[: workload.per_round]:
            for index in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad()
                loss = F.cross_entropy(net(x[index].contiguous(memory_format=layout)), y[index])
                loss.backward()
                optimizer.step()
        on_round()


def main() -> None:
    """Prints one line per workload and variant."""
    given = _arguments()
    torch.set_num_threads(1)
    table = {name: _workload(name, given) for name in given.workloads}
    for name, figures in table.items():
        print(f"\n{name}: {WORKLOADS[name]}")
        for variant, (seconds, ratio, ratio_last, cost) in figures.items():
            extra = f"  framework {cost:.2f} ms per client" if variant.startswith("fedmed") else ""
            print(f"  {variant:30} {seconds:.4f} s  {ratio:.2f} x bare  {ratio_last:.2f} x bare channels_last{extra}")
    if given.json:
        Path(given.json).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _workload(name: str, given: argparse.Namespace) -> dict[str, tuple[float, float, float, float]]:
    """Median seconds, median ratio to both bare loops pair by pair, and framework cost in ms, by variant."""
    workload = WORKLOADS[name]
    data = make_data(workload.clients, workload.images)
    variants: dict[str, Callable[..., object]] = {
        "bare": bare_loop,
        "bare channels_last": partial(bare_loop, channels_last=True),
        "compute only": compute_only,
    }
    for method in given.strategies.split(","):
        made = vars(import_module(f"fedmed.strategies.{method}"))[METHODS[method]]()
        variants[f"fedmed {method}"] = partial(fedmed_rounds, method=made)
    variants["fedmed fedavg, default layout"] = partial(
        fedmed_rounds, method=import_module("fedmed.strategies.fedavg").FedAvg(), model=SmallCnn(channels_last=False)
    )
    times: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(given.repeats):
        for variant, run in variants.items():
            times[variant].append(measure(lambda n, tick, run=run: run(workload, n, tick, data), given.rounds))
    return {variant: _figures(times, variant, workload) for variant in variants}


def _figures(times: dict[str, list[float]], variant: str, workload: Workload) -> tuple[float, float, float, float]:
    def against(other: str) -> float:
        return median(a / b for a, b in zip(times[variant], times[other], strict=True))

    cost = median(a - b for a, b in zip(times[variant], times["compute only"], strict=True))
    return median(times[variant]), against("bare"), against("bare channels_last"), 1000 * cost / workload.per_round


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="ABCD")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--strategies", default="fedavg,scaffold")
    parser.add_argument("--json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
