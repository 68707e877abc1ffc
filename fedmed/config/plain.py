"""From what Hydra composes to the plain values of a config: in the types of their fields, with absolute paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fedmed.config.validate import option_of
from fedmed.config.values import TARGET, Config
from fedmed.options.catalogue import Catalogue
from fedmed.options.fields import Field, read_value
from fedmed.options.groups import GROUPS, PARTS, SETTINGS

PATHS = ("dataset.path", "dataset.root", "dataset.join", "partition.path", "model.weights", "sampling.path")
"""Options that name files: made absolute, so that a run can be resumed from any directory."""


def plain(composed: DictConfig, catalogue: Catalogue) -> Config:
    """The config of a run. Settings of methods that it does not have are dropped; what fits no type stays as it is."""
    values: Any = OmegaConf.to_container(composed, resolve=True)
    for name, field in SETTINGS.items():
        values[name] = _read(values[name], field)
    for part, fields in PARTS.items():
        _read_all(values[part], fields)
    if isinstance(members := values["strategy"], dict):
        values["strategy"] = {n: node for n, node in members.items() if not isinstance(node, dict) or TARGET in node}
    config = Config(values)
    for node in config.nodes():
        if option := option_of(node, catalogue):
            _read_all(config[node.where], {field.name: field for field in option.fields})
    _make_absolute(values)
    return config


def _read_all(values: Any, fields: dict[str, Field]) -> None:
    for name in values.keys() & fields.keys() if isinstance(values, dict) else ():
        values[name] = _read(values[name], fields[name])


def _read(value: Any, field: Field) -> Any:
    return read_value(value, field.type)


def _make_absolute(values: dict[str, Any]) -> None:
    for name in PATHS:
        group, _, option = name.partition(".")
        node = values[group]
        if isinstance(node, dict) and isinstance(path := node.get(option), str) and path:
            node[option] = str(Path(path).expanduser().resolve())
    _make_absolute_in(values["strategy"])
    _make_absolute_in({group: values.get(group) for group in GROUPS})
    if isinstance(uri := values["tracking"].get("uri"), str):
        values["tracking"]["uri"] = _absolute_uri(uri)
    if isinstance(values["model"], dict) and isinstance(code := values["model"].get("code"), str):
        values["model"]["code"] = _absolute(code)
    if isinstance(values["loss"], str):
        values["loss"] = _absolute(values["loss"])
    if isinstance(values["metrics"], list):
        values["metrics"] = [_absolute(text) if isinstance(text, str) else text for text in values["metrics"]]


def _make_absolute_in(members: Any) -> None:
    """The option `path` of options that read a file."""
    for member in members.values() if isinstance(members, dict) else ():
        if isinstance(member, dict) and isinstance(path := member.get("path"), str) and path:
            member["path"] = str(Path(path).expanduser().resolve())


def _absolute(text: str) -> str:
    path, _, name = text.rpartition(":")
    return f"{Path(path).expanduser().resolve()}:{name}" if path else text


def _absolute_uri(uri: str) -> str:
    """The database `sqlite:///<file>` by the absolute path of its file; any other place as it is."""
    path = uri.removeprefix("sqlite:///")
    return uri if path == uri else f"sqlite:///{Path(path).expanduser().resolve()}"
