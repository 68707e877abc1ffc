"""The settings of a run, as a user writes them, from its resolved config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from fedmed.comparison.runs import LOCAL, POOLED
from fedmed.config.values import Config
from fedmed.options.catalogue import Catalogue, discover
from fedmed.options.fields import REQUIRED
from fedmed.options.groups import GROUPS

Settings = dict[str, str]
"""`partition` dirichlet, `partition.alpha` 0.1, `optimizer.lr` 0.05."""

IGNORED = frozenset({
    "seed", "engine", "device", "torch_threads", "resume", "checkpoint_every", "eval_every", "scopes", "thorough",
    "metric", "metrics", "tracking", "dataset.root", "dataset.download", "dataset.verify",
})  # fmt: skip
"""Settings that do not distinguish arms: where a run was done, and how closely it was watched."""


def settings(config: Config) -> Settings:
    """A config, flat; options by their names, files by theirs without folders. Without the seed.

    Fields that an option has gained since the config was written are at their defaults.
    """
    found: Settings = {}
    for key, value in config.values.items():
        if key in GROUPS and isinstance(value, Mapping):
            found[key] = config.text(key)
            nodes = config.nodes([key])
            found |= {f"{node.where}.{name}": _text(item) for node in nodes for name, item in node.values.items()}
        elif isinstance(value, Mapping):
            found |= {f"{key}.{name}": _text(item) for name, item in value.items()}
        else:
            found[key] = _text(value)
    found = _gained(found) | found
    return {key: value for key, value in found.items() if not {key, key.partition(".")[0]} & IGNORED}


def drop_seeds(found: Sequence[Settings], seeds: Sequence[int]) -> list[Settings]:
    """Without the options' own seeds that follow the run's in every run."""
    keys = {key for each in found for key in each if key.endswith(".seed")}
    follow = {
        key
        for key in keys
        if all(each.get(key, str(seed)) == str(seed) for each, seed in zip(found, seeds, strict=True))
    }
    return [{key: value for key, value in each.items() if key not in follow} for each in found]


def base_name(config: Config) -> str:
    """`fedprox+fedbn`, or which of the two references it is."""
    if config.get("pooled"):
        return POOLED
    alone = any("*" in (node.values.get("local") or ()) for node in config.nodes(["strategy"]))
    return LOCAL if alone else "+".join(config.methods)


def is_federated(config: Config) -> bool:
    """Whether the run is of a method, and not of one of the two references."""
    return base_name(config) not in (POOLED, LOCAL)


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
