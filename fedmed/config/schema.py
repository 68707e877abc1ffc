"""The config as Hydra composes it: one node per option and one for the settings, each with its defaults.

A node is made when Hydra first reads it: most options are never chosen, and a node takes a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any
from uuid import uuid4

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf

from fedmed.config.composition import FAILURES, chosen
from fedmed.config.grammar import choices, key_of, value_of
from fedmed.config.values import TARGET
from fedmed.options.catalogue import Catalogue
from fedmed.options.fields import REQUIRED, Field
from fedmed.options.groups import GROUPS, PARTS, SETTINGS
from fedmed.options.source import Option
from fedmed.options.usual import usual_model


def register(catalogue: Catalogue, overrides: Sequence[str] = ()) -> None:
    """Offers the settings and every option to Hydra, in place of those of an earlier catalogue.

    overrides: what tells the task of a dataset whose class does not.
    """
    store = ConfigStore.instance()
    store.repo["schema.yaml"] = _Entry("schema", None, None, _settings)
    for group, options in catalogue.options.items():
        store.repo[group] = {f"{name}.yaml": _option_entry(name, option) for name, option in options.items()}
    OmegaConf.register_new_resolver("fedmed.members", _members, replace=True)
    model = partial(_usual, catalogue=catalogue, overrides=tuple(overrides))
    OmegaConf.register_new_resolver("fedmed.model", model, replace=True)
    OmegaConf.register_new_resolver("fedmed.unique", lambda: uuid4().hex[:6], use_cache=True, replace=True)


class _Entry(ConfigNode):
    """What Hydra's store has under a name; Hydra copies it and its node before it changes them."""

    def __init__(self, name: str, group: str | None, package: str | None, make: Callable[[], DictConfig]) -> None:
        self.name, self.group, self.package, self.provider = f"{name}.yaml", group, package, None
        self._make = make

    def __getattr__(self, name: str) -> DictConfig:
        if name != "node":
            raise AttributeError(name)
        return self._make()

    def __deepcopy__(self, memo: dict[int, Any]) -> _Entry:
        return self  # at every composition Hydra copies its whole store


def _option_entry(name: str, option: Option) -> _Entry:
    package = f"strategy.{name}" if option.group == "strategy" else option.group
    return _Entry(name, option.group, package, partial(_node, option))


@cache
def _node(option: Option) -> DictConfig:
    return OmegaConf.create(node_of(option))


def node_of(option: Option) -> dict[str, Any]:
    """An option with its defaults, as a config holds it."""
    return {TARGET: option.target, **_defaults(option.fields)}


@cache
def _settings() -> DictConfig:
    parts = {part: _defaults(fields.values()) for part, fields in PARTS.items()}
    return OmegaConf.create({**_defaults(SETTINGS.values()), **parts, **dict.fromkeys(GROUPS, REQUIRED)})


def _defaults(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.name: list(f) if isinstance(f := field.default, tuple) else f for field in fields}


def default_of(group: str, catalogue: Catalogue, overrides: Sequence[str] = ()) -> str:
    """The name of the option that a run has where none is chosen. overrides: may tell the task of the dataset."""
    if group == "model":
        given = choices(overrides, "dataset")
        return _usual(given[-1][0] if given else default_of("dataset", catalogue), catalogue, overrides)
    ends = f".{GROUPS[group].default}"
    return next(name for name, option in catalogue.options[group].items() if option.target.endswith(ends))


def _usual(dataset: str, catalogue: Catalogue, overrides: Sequence[str]) -> str:
    """The usual model for a dataset of that name."""
    option = catalogue.options["dataset"].get(dataset)
    given = {key_of(each): value_of(each).strip("'\"") for each in overrides}
    values = {key.removeprefix("dataset."): value for key, value in given.items() if key.startswith("dataset.")}
    task = option.task if option else ""
    default = {field.name: field.default for field in option.fields if field.name == "task"} if option else {}
    return usual_model(task, values if task else default | _of_files(overrides, preset=not option) | values)


def _of_files(overrides: Sequence[str], *, preset: bool) -> dict[str, Any]:
    """Options of the dataset that the files of an experiment and of a preset give; none where neither is chosen.

    preset: whether the dataset that the overrides choose is none of the catalogue.
    """
    named = ("experiment", "dataset") if preset else ("experiment",)
    places = [each for each in overrides if key_of(each) in (*named, "hydra.searchpath")]
    if not any(key_of(each) in named for each in places):
        return {}
    for model in ("small_cnn", "unet"):  # a file may have options of either
        with suppress(*FAILURES):
            return dict(chosen([*places, f"model={model}"]).get("dataset") or {})
    return {}


def _members(*, _root_: DictConfig) -> str:
    """The methods of a config as one writes them, for names of run directories: `fedprox+fedbn`."""
    strategy = {} if OmegaConf.is_missing(_root_, "strategy") else _root_.get("strategy") or {}
    return "+".join(str(name) for name, node in strategy.items() if "_target_" in node)
