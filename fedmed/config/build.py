"""From a config to the experiment that it spells, and from an experiment to its config and its text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fedmed.config.compose import compose
from fedmed.config.values import TARGET, Config, Node
from fedmed.errors import UserError, refuse
from fedmed.experiment import Experiment
from fedmed.method import Chain
from fedmed.optimizers import Optimizer
from fedmed.options.base import checked_fields
from fedmed.options.code import FROZEN, USER, resolve, words_of
from fedmed.options.groups import GROUPS, SETTINGS


def build(config: Config) -> Experiment:
    """The experiment that a config spells; imports the code that it names. Raises `UserError`.

    Settings that an earlier version of fedmed did not have are at their defaults.
    """
    made: dict[str, Any] = {name: config.values[name] for name in SETTINGS if name in config.values}
    options = {node.where: build_option(node) for node in config.nodes()}
    made |= {where: option for where, option in options.items() if where in GROUPS}
    made["strategy"] = Chain({where.partition(".")[2]: option for where, option in options.items() if "." in where})
    return Experiment(**made, optimizer=Optimizer(**config.get("optimizer", {})))


def experiment_from(overrides: Sequence[str]) -> Experiment:
    """The experiment that options of the command line make: `experiment_from(["strategy=fedprox", "rounds=3"])`."""
    return build(compose(overrides))


def build_option(node: Node) -> Any:
    """The object that a node of a config describes."""
    made = resolve(node.target)
    if lacking := sorted(getattr(made, "__abstractmethods__", ())):
        close = [name for name in vars(made) if get_close_matches(name, lacking, n=1)]
        fix = f"It has {', '.join(close)}, which may be misspelt." if close else "Write it there."
        raise refuse(node.target, f"a class with {', '.join(lacking)}", "one without", fix)
    try:
        return made(**node.values)
    except UserError:
        raise
    except Exception as error:
        if ".py:" not in node.target:
            raise
        expected = f"a class of {', '.join(node.values) or 'no options'}"
        raise refuse(node.target, expected, words_of(error), FROZEN) from error


def config_of(experiment: Experiment) -> Config:
    """The config that spells an experiment: `build` makes an equal one of it.

    Raises `UserError` where an option holds what no text can spell, such as tensors.
    """
    values: dict[str, Any] = {name: _plain(getattr(experiment, name)) for name in SETTINGS}
    values["optimizer"] = {field.name: _plain(getattr(experiment.optimizer, field.name)) for field in fields(Optimizer)}
    for group in GROUPS:
        if group == "strategy":
            members = experiment.methods.members.items()
            values[group] = {name: _node(f"{group}.{name}", method) for name, method in members}
        else:
            values[group] = _node(group, getattr(experiment, group))
    return Config(values)


def to_yaml(config: Config) -> str:
    """The text of a config, as a run directory keeps it."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config.values)))


def from_yaml(text: str) -> Config:
    """The config that a text of `to_yaml` holds."""
    values: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    return Config(values)


def _node(where: str, option: Any) -> dict[str, Any]:
    cls = type(option)
    kinds = checked_fields(cls)
    if odd := [f.name for f in fields(cls) if f.name not in kinds and not f.metadata.get("in_memory")]:
        raise refuse(f"{where}.{odd[0]}", "a value that text can spell", type(getattr(option, odd[0])).__name__)
    return {TARGET: target_of(cls), **{name: _plain(getattr(option, name)) for name in kinds}}


def target_of(cls: type) -> str:
    """`package.module.Class`, or `/path/to/file.py:Class` for a class in a file of the user's; what `resolve` takes."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if cls.__module__.startswith(f"{USER}.") or (cls.__module__ == "__main__" and file):
        return f"{Path(str(file)).resolve()}:{cls.__qualname__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, tuple) else value
