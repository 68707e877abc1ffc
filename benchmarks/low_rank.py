"""How rank, number of clients, scaling and learning rate go together in the LoRA family, on real images.

    python -m benchmarks.low_rank DATA [--out rows.jsonl] [--seeds 5]

DATA is an npz file as of MedMNIST with 28 x 28 pixels (train_images, ..., test_labels). A small CNN is trained on its
training images; clients then hold 30 images each of the others, inverted and dimmed, with skewed labels (Dirichlet .3),
and train four rounds from there, or twenty where bytes are counted until an accuracy is reached. Every arm runs at
every learning rate; the tuned one is chosen by validation. Rows are kept as they come, and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fedmed import rng
from fedmed.client import Training
from fedmed.data.examples import Examples
from fedmed.data.world import Share
from fedmed.engine.local import InProcessGrid
from fedmed.errors import UserError
from fedmed.flower import EvaluationPlan, RoundCallbacks, RoundResult, ServerSettings, client_app, strategy
from fedmed.flower.records import pack
from fedmed.method import Method, Setup, chain
from fedmed.models.net import Net, fixed, scope
from fedmed.models.small_cnn import SmallCnn
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.lora import LoRA
from fedmed.tasks import MultiClass

ROUNDS, LONG, IMAGES, VAL, TEST = 4, 20, 30, 20, 40
RATES, FINER = (0.02, 0.08), 0.005  # the finer one for `sfed` with many clients, whose best is below .02
RANKS, CLIENTS = (4, 128), (4, 16)
TARGETS = (0.6, 0.7, 0.8)
PERSONAL = ("*.lora_B", "@head")
FAMILY: dict[str, dict[str, Any]] = {
    "shared lora": {"scaling": "lora"},
    "shared rslora": {"scaling": "rslora"},
    "shared sfed": {"scaling": "sfed"},
    "own rslora": {"scaling": "rslora", "init": "per_client"},
    "own sfed": {"scaling": "sfed", "init": "per_client"},
}
BASELINES: dict[str, Method] = {
    "fedavg": FedAvg(),
    "fedper": FedPer(),
    "lora": LoRA(rank=4),
    "ffa_lora": LoRA(rank=4, train_a=False),
}
COUNTED = (*BASELINES, "shared rslora", "own sfed")
Cell = tuple[str, int, int, float, int, int]


def main() -> None:
    """Runs what is not kept yet, then prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("low_rank.jsonl"))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = (
        [json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()] if given.out.exists() else []
    )
    done = {tuple(row[name] for name in ("arm", "rank", "clients", "lr", "seed", "rounds")) for row in rows}
    with np.load(given.data) as data, given.out.open("a", encoding="utf-8") as file:
        images = {name: torch.from_numpy(data[name]) for name in data.files}
        net = trained(images)
        for key in [key for key in cells(given.seeds) if key not in done]:
            rows.append(run(net, images, key))
            print(json.dumps(rows[-1]), file=file, flush=True)
    tables(rows)


def cells(seeds: int) -> Iterator[Cell]:
    """Arm, rank, clients, learning rate, seed and rounds of every run: few clients first, then seed by seed."""
    for n in CLIENTS:
        for seed, lr in product(range(seeds), RATES):
            yield from ((name, rank, n, lr, seed, ROUNDS) for name, rank in product(FAMILY, RANKS))
            if n == max(CLIENTS):
                yield from ((name, 4, n, lr, seed, ROUNDS) for name in BASELINES)
                yield from ((name, 4, n, lr, seed, LONG) for name in COUNTED)
        for seed in range(seeds if n == max(CLIENTS) else 0):
            sfed = [name for name in FAMILY if "sfed" in name]
            yield from ((name, rank, n, FINER, seed, ROUNDS) for name, rank in product(sfed, RANKS))


def trained(images: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a small CNN after two passes over the training images."""
    net, x, y = plain(), images["train_images"][:, None].float() / 255, images["train_labels"].flatten().long()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(2):
        order = torch.randperm(len(x), generator=rng.generator(0, "pretraining", epoch))
        losses = []
        for index in order.split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[index]), y[index])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"trained elsewhere, pass {epoch + 1}: loss {mean(losses):.3f}", flush=True)
    return net.state_dict()


def plain() -> Net:
    """A small CNN with the weights of seed 0."""
    with rng.seeded(0, "weights"):
        return SmallCnn().build(1, 6, 28)


def run(weights: dict[str, Tensor], images: dict[str, Tensor], cell: Cell) -> dict[str, Any]:
    """One federation; its last training loss, personal accuracies and bytes up a round and client."""
    arm, rank, clients, lr, seed, rounds = cell
    method = BASELINES.get(arm) or LoRA(rank=rank, local=PERSONAL, **FAMILY[arm])
    task, shares = MultiClass(classes=6), held(images, clients, seed)
    net, training = plain(), Training(optimizer=Optimizer(lr=lr))
    net.load_state_dict(weights)
    setup = Setup(task=task, net=net, optimizer=training.optimizer, rounds=rounds, clients=clients)
    net = chain(method).build(net, setup, seed=seed)
    apart = scope(net, method.local) | fixed(net)
    shared = {name: tensor.clone() for name, tensor in net.state_dict().items() if name not in apart}
    app = client_app(
        method, net=net, task=task, training=training, share=shares.__getitem__, seed=seed, normalise=_scaled
    )
    results: list[RoundResult] = []
    plan = strategy(
        method,
        ServerSettings(seed=seed),
        evaluation=EvaluationPlan(by_clients=True, due=lambda round: rounds == LONG or round == rounds),
        callbacks=RoundCallbacks(after_round=lambda result: bool(results.append(result))),
    )
    sent = sum(tensor.nbytes for tensor in shared.values())
    found = {"arm": arm, "rank": rank, "clients": clients, "lr": lr, "seed": seed, "rounds": rounds, "up": sent}
    try:
        plan.start(InProcessGrid(app, clients), pack(shared), rounds)
    except UserError:  # it diverged
        return found | {"loss": float("inf"), "val": 0.0, "test": 0.0, "curve": [0.0] * rounds}
    last = results[-1]
    found["loss"] = mean(row["loss"] for row in last.clients)
    for part in ("val", "test"):
        found[part] = mean(row[f"{part}.accuracy"] for row in last.evaluated)
    found["curve"] = [mean(row["test.accuracy"] for row in result.evaluated) for result in results if result.evaluated]
    return found


def held(images: dict[str, Tensor], clients: int, seed: int) -> list[Share]:
    """Clients with skewed labels and images that are inverted and dimmed, none of which two of them share."""
    x = torch.cat([images["val_images"], images["test_images"]])[:, None]
    y = torch.cat([images["val_labels"], images["test_labels"]]).flatten().long()
    draw = rng.numpy_generator(seed, "clients")
    free = {c: draw.permutation((y == c).nonzero().flatten().numpy()).tolist() for c in range(6)}
    found = []
    for _ in range(clients):
        shares = draw.dirichlet(np.full(6, 0.3))
        rows = [_take(free, int(c)) for c in draw.choice(6, IMAGES + VAL + TEST, p=shares)]
        dark = ((255 - x[rows].float()) * 0.6).to(torch.uint8)
        whole = Examples(dark, y[rows])
        ends = (IMAGES, IMAGES + VAL, IMAGES + VAL + TEST)
        found.append(Share(*(whole[slice(a, b)] for a, b in zip((0, *ends[:-1]), ends, strict=True))))
    return found


def _take(free: dict[int, list[int]], wanted: int) -> int:
    return next(free[c] for c in (wanted, *free) if free[c]).pop()


def _scaled(x: Tensor) -> Tensor:
    return x.float() / 255


def tables(rows: Sequence[dict[str, Any]]) -> None:
    """At one learning rate and at the best by validation: loss and personal accuracy; bytes until an accuracy."""
    short, long = ([row for row in rows if row["rounds"] == rounds] for rounds in (ROUNDS, LONG))
    print("arm, clients, rank | loss at .02, accuracy at .02 | best lr, its accuracy (sd over seeds) | bytes up")
    for arm, clients, rank in sorted({(r["arm"], r["clients"], r["rank"]) for r in short}):
        of = [r for r in short if (r["arm"], r["clients"], r["rank"]) == (arm, clients, rank)]
        tuned = best(of)
        one = [row for row in of if row["lr"] == 0.02] or tuned
        print(
            f"{arm:14} {clients:3} {rank:4} | {mean(r['loss'] for r in one):.3f} {mean(r['test'] for r in one):.3f}"
            f" | {accuracy(tuned)} | {of[0]['up']}"
        )
    print(
        f"arm | best lr, its accuracy in round {LONG} (sd over seeds) | a client's bytes up until an accuracy (round)"
    )
    for arm in [name for name in COUNTED if any(row["arm"] == name for row in long)]:
        tuned = best([row for row in long if row["arm"] == arm])
        curve = [mean(values) for values in zip(*(row["curve"] for row in tuned), strict=True)]
        print(f"{arm:14} | {accuracy(tuned)} | " + "; ".join(until(x, curve, tuned[0]["up"]) for x in TARGETS))


def best(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the learning rate whose last models are best on validation images, in the mean over seeds."""
    by = {lr: [row for row in rows if row["lr"] == lr] for lr in {row["lr"] for row in rows}}
    return max(by.values(), key=lambda of: mean(row["val"] for row in of))


def accuracy(rows: Sequence[dict[str, Any]]) -> str:
    """Learning rate and last accuracy on test images, with its deviation over seeds."""
    values = [row["test"] for row in rows]
    spread = stdev(values) if len(values) > 1 else 0.0
    return f"{rows[0]['lr']:<5} {mean(values):.3f} ({spread:.3f}, {len(values)} seeds)"


def until(target: float, curve: Sequence[float], up: int) -> str:
    """Bytes that a client has sent when an accuracy is first reached, from that of every round."""
    round = next((t for t, value in enumerate(curve, start=1) if value >= target), None)
    return f"{target}: never" if round is None else f"{target}: {round * up} ({round})"


if __name__ == "__main__":
    main()
