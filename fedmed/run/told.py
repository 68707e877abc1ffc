"""What is told of a run, in the words that a user would write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fedmed import __version__
from fedmed.config.discovery import GROUPS
from fedmed.config.stored import read_stored
from fedmed.run.parts import Parts
from fedmed.run.written import written
from fedmed.rundir.directory import RunDirectory
from fedmed.tracking import Subject

TAGS = ("strategy", "dataset", "partition", "model", "seed")
"""Settings by which runs are found."""


def subject(parts: Parts, kept: RunDirectory, *, done: int) -> Subject:
    """What is told of a run that starts after `done` rounds; to be asked for before later rows are dropped."""
    config = read_stored(kept.path)
    rows = kept.rows("rounds")
    return Subject(
        folder=kept.path,
        label=f"{kept.label}_{kept.path.name}",
        params=dict(params(config)),
        tags={name: written(config, name) for name in TAGS} | {"identity": parts.identity, "fedmed": __version__},
        metric=parts.metric,
        done=done,
        told=rows[-1]["round"] if rows else 0,
    )


def params(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """The config, flat: `strategy` is `fedprox+fedbn`, `partition.alpha` is 0.5; lists are text, nulls left out."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    for group in GROUPS:
        yield group, written(config, group)
    yield from _flat({name: value for name, value in values.items() if name not in ("tracking", "resume")}, "")


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "_target_":
                yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value if isinstance(value, (bool, int, float, str)) else str(value)
