"""The config of a run directory, which may be a stranger's: read as data, and checked for the code that it names.

To read resolves nothing (`${oc.env:...}` would show what is in the environment) and follows no aliases (a few lines of
them grow to gigabytes). What it builds is fedmed's own, an installed package's, in the user's own folders of options,
or in a file that the user trusts by name.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import Fault, UserError, refuse, visible
from fedmed.options.catalogue import Catalogue, discover
from fedmed.options.groups import GROUPS
from fedmed.rundir.config_file import first_line, refuse_aliases

TORCH = "fedmed.models.torch.TorchModel"
"""The model that names code of its own, or a file of pickled code."""


def read_stored(folder: Path) -> Config:
    """The config.yaml of a run directory; raises `UserError` where it is none, or has anything to be resolved."""
    path = folder / "config.yaml"
    try:
        text = path.read_text(encoding="utf-8")
        refuse_aliases(text, str(path))
        values: Any = OmegaConf.to_container(OmegaConf.create(text))
        asks = next((value for value in _leaves(values) if isinstance(value, str) and _strange(value)), None)
    except (OSError, yaml.YAMLError, OmegaConfBaseException, RecursionError, ValueError) as error:
        raise refuse(str(path), "a configuration", first_line(error), "Restore it.") from error
    if asks is not None:
        fix = "fedmed did not write it so: do not trust this folder."
        raise refuse(str(path), "a resolved configuration", asks, fix)
    if not isinstance(values, dict):
        raise refuse(str(path), "a configuration", "a list", "Restore it.")
    return Config(_located(values, folder))


def _located(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The values with the path of the module that the run has kept, where it has one."""
    model = values.get("model")
    if isinstance(model, dict) and isinstance(file := model.get("file"), str):
        return {**values, "model": {**model, "file": str(folder.resolve() / file)}}
    return values


def check_values(config: Config, folder: Path, parts: Collection[str] = ()) -> None:
    """Raises `UserError` where the config of the run in the folder has values that its options do not take.

    parts: groups and settings that will be used; none for all.
    """
    file = folder / "config.yaml"
    faults = [fault for fault in validate(config) if not parts or fault.where.partition(".")[0] in parts]
    if faults:
        raise UserError(*(replace(fault, where=f"{file}: {fault.where}") for fault in faults))


def check_code(
    config: Config, folder: Path, trusted: Sequence[Path] = (), *, groups: Iterable[str] | None = None
) -> list[Path]:
    """The users' files that the config of the run in the folder will import; raises `UserError` where it may not.

    trusted: files, and folders with all below. groups: what will be built of it; None for everything.
    """
    places, catalogue = [place.expanduser().resolve() for place in trusted], discover()
    named = list(_named(config, groups))
    if wrong := [each for each in named if not _allowed(each, folder.resolve(), places, catalogue)]:
        raise UserError(*(_untrusted(each, folder) for each in wrong))
    return sorted({each.file for each in named if each.file is not None})


def must_be_trusted(folder: Path) -> list[Path]:
    """The users' files that the run in the folder names and that only the user's word lets it import."""
    if not (folder / "config.yaml").is_file():
        return []
    catalogue, named = discover(), _named(read_stored(folder), None)
    wrong = [each for each in named if not _allowed(each, folder.resolve(), (), catalogue)]
    return sorted({each.file for each in wrong if each.file is not None})


def code_of(config: Config) -> list[Path]:
    """The users' files that a config names, each once, and the file of its pickled module."""
    return sorted({each.file for each in _named(config, None) if each.file is not None})


class _Named(NamedTuple):
    """Code that a config names. where: the option. group: what it is an option of; empty for a function."""

    where: str
    group: str
    target: str

    @property
    def file(self) -> Path | None:
        """The user's file that it is in; None where it is in a package."""
        if self.target.endswith(".pkl"):
            return Path(self.target)
        return Path(self.target.rpartition(":")[0]).expanduser().resolve() if ".py:" in self.target else None


def _named(config: Config, groups: Iterable[str] | None) -> Iterator[_Named]:
    for node in config.nodes(tuple(GROUPS if groups is None else groups)):
        yield _Named(node.where, node.group, node.target)
        if node.target == TORCH:
            held = {name: str(node.values[name]) for name in ("code", "file") if node.values.get(name)}
            yield from (_Named(f"{node.where}.{name}", "", target) for name, target in held.items())
    if groups is None:
        yield from (_Named("metrics", "", str(target)) for target in config.get("metrics") or ())
        yield from (_Named("loss", "", str(target)) for target in [config.get("loss")] if target is not None)


def _allowed(named: _Named, folder: Path, trusted: Sequence[Path], catalogue: Catalogue) -> bool:
    """Whether the user has named the code: on the command line, or by keeping it among options of their own."""
    if named.file is not None and any(named.file.is_relative_to(place) for place in trusted):
        return True
    if named.file is not None and named.file.is_relative_to(folder):  # what came with the run is not the user's
        return False
    return bool(named.group) and any(o.target == named.target for o in catalogue.options[named.group].values())


def _untrusted(named: _Named, folder: Path) -> Fault:
    expected, got = "an option of fedmed's, of an installed package or of your own folders", f"{named.target}"
    if named.file is None:
        return Fault(named.where, expected, got, f"fedmed did not write that into {folder}: do not trust the folder.")
    fix = f"It is code that would run. Read it; if you trust it, add --trust {shlex.quote(str(named.file))}"
    return Fault(named.where, f"{expected}, or a file that you trust", got, fix)


def _strange(text: str) -> bool:
    """Whether a text asks to be resolved, or steers terminals."""
    return "${" in text or visible(text) != text


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value
