"""The rows of the conformance suite: every file of strategies/, on every toy task that it accepts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fedmed.errors import Fault
from fedmed.method import Method, Setup, chain
from tests.toys import TOYS, TRAINING, Toy

NEUTRAL: dict[str, dict[str, Any]] = {
    "creff": {"retrain_steps": 0},
    "fedavg": {},
    "fedbn": {"local": ()},
    "fedegoists": {"start": "together", "benefit": "oracle", "groups": ("0+1+2",), "warmup": 1},
    "fedia": {"warmup_rounds": 9, "supervised": "base"},
    "fedmlp": {"warmup_rounds": 9, "views": 1, "logit_adjustment": False, "distillation": False},
    "fednpr": {"weight": 0.0, "supervised": "base"},
    "fedper": {"local": ()},
    "fedplvm": {"weight": 0.0},
    "fedproto": {"weight": 0.0},
    "fedprox": {"mu": 0.0},
    "fpl": {"weight": 0.0},
    "moon": {"mu": 0.0},
}
"""The fields with which a strategy is FedAvg, for those that can be: a generated head (phn_hvvs) never is."""

SHORT: dict[str, dict[str, Any]] = {
    "creff": {"features": 10, "match_steps": 10, "retrain_steps": 100},
    "fedegoists": {"warmup": 1},
    "fedia": {"warmup_rounds": 1, "trigger": "fixed_round", "exempt_above": None, "threshold": 0.5},
    "fedmlp": {"warmup_rounds": 2},
    "lora": {"train": ("head.*", "@norm")},
    "phn_hvvs": {"warmup": 1, "rays": 4, "search": 5},
}
"""The fields of strategies whose stages depend on the length of a run, or that are for nets that were trained
elsewhere, for runs of two to six rounds."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A strategy with its defaults (those of `SHORT` apart), on a toy."""

    name: str
    kind: type[Method]
    task: str

    @property
    def method(self) -> Method:
        return self.kind(**SHORT.get(self.name, {}))

    @property
    def toy(self) -> Toy:
        return TOYS[self.task]

    def refusals(self, method: Method | None = None) -> list[Fault]:
        """What the strategy refuses of its toy; method: with other fields."""
        toy = self.toy
        setup = Setup(task=toy.task, net=toy.net(), optimizer=TRAINING.optimizer, rounds=4, clients=len(toy.shares))
        return chain(method or self.method).check(setup)


def discover() -> dict[str, type[Method]]:
    """Every strategy by the name of its file."""
    folder = Path(__file__).resolve().parents[2] / "strategies"
    return {path.stem: load(path.stem) for path in sorted(folder.glob("[!_]*.py"))}


def load(name: str) -> type[Method]:
    """The one method that a file of strategies/ defines."""
    module = import_module(f"fedmed.strategies.{name}")
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Method)]
    (kind,) = [cls for cls in found if cls.__module__ == module.__name__]
    return kind
