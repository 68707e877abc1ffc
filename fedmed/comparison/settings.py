"""The settings of a run, as a user writes them, from its resolved config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fedmed.comparison.runs import LOCAL, POOLED
from fedmed.config.discovery import GROUPS, Catalogue, discover
from fedmed.config.fields import REQUIRED
from fedmed.config.options import named

Settings = dict[str, str]
"""`partition` dirichlet, `partition.alpha` 0.1, `optimizer.lr` 0.05."""

UNSAID = frozenset({
    "seed", "engine", "device", "torch_threads", "resume", "checkpoint_every", "eval_every", "scopes", "thorough",
    "metric", "metrics", "tracking", "dataset.root", "dataset.download", "dataset.verify",
})  # fmt: skip
"""Settings that tell no runs apart: where, how and how closely they were done."""


def settings(config: Mapping[str, Any]) -> Settings:
    """A resolved config, flat; options by their names, files by theirs without folders. Without the seed.

    Fields that an option has gained since the config was written are at their defaults.
    """
    found: Settings = {}
    for key, value in config.items():
        if key == "strategy":
            found |= _strategy(value)
        elif key in GROUPS and isinstance(value, Mapping):
            found[key] = named(str(value.get("_target_")), GROUPS[key].base)
            found |= {f"{key}.{name}": _text(item) for name, item in value.items() if name != "_target_"}
        elif isinstance(value, Mapping):
            found |= {f"{key}.{name}": _text(item) for name, item in value.items()}
        else:
            found[key] = _text(value)
    found = _gained(found) | found
    return {key: value for key, value in found.items() if not {key, key.partition(".")[0]} & UNSAID}


def drop_seeds(found: Sequence[Settings], seeds: Sequence[int]) -> list[Settings]:
    """Without the options' own seeds that follow the run's in every run."""
    keys = {key for each in found for key in each if key.endswith(".seed")}
    follow = {
        key
        for key in keys
        if all(each.get(key, str(seed)) == str(seed) for each, seed in zip(found, seeds, strict=True))
    }
    return [{key: value for key, value in each.items() if key not in follow} for each in found]


def base_name(config: Mapping[str, Any]) -> str:
    """`fedprox+fedbn`, or which of the two references it is."""
    if config.get("pooled"):
        return POOLED
    members = config["strategy"]
    alone = any("*" in (member.get("local") or ()) for member in members.values())
    return LOCAL if alone else "+".join(members)


def is_federated(config: Mapping[str, Any]) -> bool:
    """Whether the run is of a method, and not of one of the two references."""
    return base_name(config) not in (POOLED, LOCAL)


def _strategy(members: Mapping[str, Mapping[str, Any]]) -> Settings:
    found = {"strategy": "+".join(members)}
    for member, fields in members.items():
        found |= {f"strategy.{member}.{name}": _text(item) for name, item in fields.items() if name != "_target_"}
    return found


def _gained(found: Settings) -> Settings:
    """The defaults of all fields of the chosen options."""
    chosen = {group: (group, found[group]) for group in GROUPS if group in found and group != "strategy"}
    chosen |= {f"strategy.{member}": ("strategy", member) for member in found["strategy"].split("+")}
    options = _catalogue().options
    return {
        f"{prefix}.{field.name}": _text(field.default)
        for prefix, (group, name) in chosen.items()
        if (option := options[group].get(name)) is not None
        for field in option.fields
        if field.default != REQUIRED
    }


@cache
def _catalogue() -> Catalogue:
    return discover()


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    text = str(value)
    return text.rpartition("/")[2] if isinstance(value, str) else text
