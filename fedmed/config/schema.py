"""The config as Hydra types it: one node per option, one for the settings, so that wrong types are refused.

A node is made when Hydra first reads it: most options are never chosen, and a node takes a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field as default_of
from dataclasses import make_dataclass
from functools import cache, partial
from typing import Any
from uuid import uuid4

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from fedmed.config.discovery import GROUPS, Catalogue
from fedmed.config.fields import Field, plain
from fedmed.config.options import Option
from fedmed.config.usual import usual_model
from fedmed.config.validate import OPTIMIZER, SETTINGS


def register(catalogue: Catalogue, overrides: Sequence[str] = ()) -> None:
    """Offers the settings and every option to Hydra, in place of those of an earlier catalogue.

    overrides: what tells the task of a dataset whose class does not.
    """
    store = ConfigStore.instance()
    store.store("schema", _settings())
    for group, options in catalogue.options.items():
        store.repo[group] = {f"{name}.yaml": _Entry(name, option) for name, option in options.items()}
    OmegaConf.register_new_resolver("fedmed.members", _members, replace=True)
    model = partial(usual_model, catalogue=catalogue, overrides=tuple(overrides))
    OmegaConf.register_new_resolver("fedmed.model", model, replace=True)
    OmegaConf.register_new_resolver("fedmed.unique", lambda: uuid4().hex[:6], use_cache=True, replace=True)


class _Entry(ConfigNode):
    """An option in Hydra's store; Hydra copies the node before it changes it."""

    def __init__(self, name: str, option: Option) -> None:
        self._option, self.name, self.group, self.provider = option, f"{name}.yaml", option.group, None
        self.package = f"strategy.{name}" if option.group == "strategy" else option.group

    def __getattr__(self, name: str) -> DictConfig:
        if name != "node":
            raise AttributeError(name)
        return _node(self._option)


@cache
def _node(option: Option) -> DictConfig:
    columns = [("_target_", str, default_of(default=option.target)), *_columns(option.fields)]
    return OmegaConf.structured(make_dataclass(option.name, columns))  # type: ignore[no-any-return]


@cache
def _settings() -> type:
    optimizer = make_dataclass("Optimizer", _columns(OPTIMIZER.values()))
    settings = _columns(SETTINGS.values())
    groups = [(group, Any, default_of(default=MISSING)) for group in GROUPS]
    nested = [("optimizer", optimizer, default_of(default_factory=optimizer))]
    return make_dataclass("Experiment", [*settings, *nested, *groups])


def _columns(fields: Iterable[Field]) -> list[tuple[str, Any, Any]]:
    return [(field.name, plain(field.type), _default(field.default)) for field in fields]


def _default(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return default_of(default_factory=lambda: list(value))
    return default_of(default=value)


def _members(*, _root_: DictConfig) -> str:
    """The methods of a config as one writes them, for names of run directories: `fedprox+fedbn`."""
    strategy = {} if OmegaConf.is_missing(_root_, "strategy") else _root_.get("strategy") or {}
    return "+".join(str(name) for name, node in strategy.items() if "_target_" in node)
