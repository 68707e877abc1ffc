"""Run directories without a run: what comparisons read, made up in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CONFIG: dict[str, Any] = {
    "seed": 0,
    "clients": 3,
    "pooled": False,
    "rounds": 2,
    "client_test": 0.1,
    "metric": None,
    "device": "cpu",
    "optimizer": {"name": "sgd", "lr": 0.1},
    "strategy": {"fedavg": {"_target_": "fedmed.strategies.fedavg.FedAvg", "local": []}},
    "dataset": {"_target_": "fedmed.datasets.synthetic_multiclass.SyntheticMulticlass", "images": 100, "seed": 0},
    "partition": {"_target_": "fedmed.data.partition.labels.DirichletPartition", "alpha": 0.5, "seed": None},
    "model": {"_target_": "fedmed.models.small_cnn.SmallCnn", "width": 16},
    "engine": {"_target_": "fedmed.engine.inprocess.InprocessEngine"},
    "server": {"_target_": "fedmed.server.optimizers.AverageServerOptimizer", "lr": 1.0},
}
"""A resolved config, shorter than real ones."""

MARKS = {"data": "d", "test": "t", "fedmed": "0.1.0"}


def strategy(name: str, **fields: Any) -> dict[str, Any]:
    """The strategy group of one method."""
    return {name: {"_target_": f"fedmed.strategies.{name}.Class", "local": [], **fields}}


def run(
    folder: Path,
    *,
    seed: int = 0,
    auc: float | None = 0.5,
    config: Mapping[str, Any] | None = None,
    final: Mapping[str, Any] | None = None,
    marks: Mapping[str, Any] | None = MARKS,
    created: str = "2026-01-01T00:00:00+00:00",
    curve: Sequence[float | None] = (),
    clients: Sequence[float] = (),
) -> Path:
    """A finished run. auc: at the end; curve: in every round; clients: of each client in round 2, and 0 in round 1."""
    folder.mkdir(parents=True)
    chosen = {**CONFIG, "seed": seed, **(config or {})}
    method = "+".join(chosen["strategy"])
    about: dict[str, Any] = {"format": 1, "identity": "i", "created": created, "status": "finished"}
    if marks is not None:
        about["marks"] = {"strategy": f"code of {method}", **marks}
    ends = {"test.auc": auc, "test.loss": 0.3, "test.auc.low": 0.1, "bytes.up": 10, "bytes.down": 20, "rounds": 2}
    rounds = [
        {"round": n, "test.auc": value, "bytes.up": 10, "bytes.down": 20, "seconds": 2.0}
        for n, value in enumerate(curve, 1)
    ]
    rows = [
        {"round": n, "client": client, "client.auc": value * (n - 1)}
        for n in (1, 2)
        for client, value in enumerate(clients)
    ]
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "config.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    (folder / "final.json").write_text(
        json.dumps({**ends, "seconds": 4.0, "directory": "x", **(final or {})}), encoding="utf-8"
    )
    (folder / "rounds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rounds), encoding="utf-8")
    (folder / "clients.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def runs(folder: Path, arms: Mapping[str, Sequence[float]], **settings: Any) -> list[Path]:
    """A run per method and value, seeds from 0 on."""
    return [
        run(folder / f"{name}_{seed}", seed=seed, auc=value, config={**settings, "strategy": strategy(name)})
        for name, values in arms.items()
        for seed, value in enumerate(values)
    ]
