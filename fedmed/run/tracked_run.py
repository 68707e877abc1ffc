"""What is sent to trackers about a run: its configuration, flat, and the tags that it is found by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fedmed import __version__
from fedmed.config.stored import read_stored
from fedmed.config.values import Config
from fedmed.options.groups import GROUPS
from fedmed.run.parts import Parts
from fedmed.rundir.directory import RunDirectory
from fedmed.tracking import Subject

TAGS = ("strategy", "dataset", "partition", "model", "seed")
"""Settings by which runs are found."""


def subject(parts: Parts, kept: RunDirectory, *, done: int) -> Subject:
    """The description of a run that starts after `done` rounds; to be made before later rows are dropped."""
    config = read_stored(kept.path)
    rows = kept.rows("rounds")
    return Subject(
        folder=kept.path,
        label=f"{kept.label}_{kept.path.name}",
        params=dict(params(config)),
        tags={name: config.text(name) for name in TAGS} | {"identity": parts.identity, "fedmed": __version__},
        metric=parts.metric,
        done=done,
        sent=rows[-1]["round"] if rows else 0,
    )


def params(config: Config) -> Iterator[tuple[str, Any]]:
    """The config, flat: `strategy` is `fedprox+fedbn`, `partition.alpha` is 0.5; lists are text, nulls left out."""
    for group in GROUPS:
        yield group, config.text(group)
    kept = {name: value for name, value in config.settings().items() if name not in ("tracking", "resume")}
    yield from _flat(kept, "")


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif value is not None:
        yield name, value if isinstance(value, (bool, int, float, str)) else str(value)
