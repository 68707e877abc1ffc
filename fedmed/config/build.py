"""From the nodes of a config to the objects they describe."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fedmed.config.experiment import Experiment, Optimizer
from fedmed.errors import UserError, refuse

USER = "fedmed.user"
"""Where modules made of users' files are imported."""

FROZEN = "A class of options is decorated with @dataclass(frozen=True, kw_only=True)."


def build(node: DictConfig | Mapping[str, Any]) -> Any:
    """The option that a node describes: `_target_` called with the other entries, lists as tuples."""
    values = _values(node)
    target = values.pop("_target_")
    made = resolve(target)
    if lacking := sorted(getattr(made, "__abstractmethods__", ())):
        close = [name for name in vars(made) if get_close_matches(name, lacking, n=1)]
        fix = f"It has {', '.join(close)}, which may be misspelt." if close else "Write it there."
        raise refuse(target, f"a class with {', '.join(lacking)}", "one without", fix)
    try:
        return made(**values)
    except UserError:
        raise
    except Exception as error:
        if ".py:" not in target:
            raise
        raise refuse(target, f"a class of {', '.join(values) or 'no options'}", _words(error), FROZEN) from error


def settings(config: DictConfig | Mapping[str, Any]) -> Experiment:
    """Everything of a config that is not an option of a group."""
    values = _values(config)
    optimizer = Optimizer(**_values(values["optimizer"]))
    names = {field.name for field in fields(Experiment)} - {"optimizer"}
    return Experiment(**{name: values[name] for name in names if name in values}, optimizer=optimizer)


def resolve(target: str) -> Any:
    """What `package.module.name` or `path/to/file.py:name` names; imports its module, a file only once.

    Raises `UserError` where a file does not exist or has no such name.
    """
    if ".py:" not in target:
        module, _, name = target.rpartition(".")
        return vars(importlib.import_module(module))[name]
    path, _, name = target.rpartition(":")
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise refuse(target, "a file that exists", file, "Check the path.")
    found = vars(_import_file(file))
    if name not in found:
        raise refuse(target, f"{name}, defined in {file.name}", "no such name", "Check the name after the colon.")
    return found[name]


def imported_files() -> list[Path]:
    """The users' files that `resolve` has imported; another process imports them before it unpickles what is theirs."""
    found = [vars(module)["__file__"] for name, module in sys.modules.items() if name.startswith(f"{USER}.")]
    return [Path(file) for file in found]


def import_files(files: Iterable[Path]) -> None:
    """Imports users' files under the names that `resolve` gives them."""
    for file in files:
        _import_file(file)


def _values(node: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    container: Any = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    return {key: tuple(value) if isinstance(value, list) else value for key, value in container.items()}


def _import_file(file: Path) -> ModuleType:
    """Imports a file under a name of its own that ends in its stem, so that its instances can be pickled."""
    name = f"{USER}.x{blake2b(str(file).encode(), digest_size=6).hexdigest()}.{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise refuse(str(file), "a Python file", file.suffix, "Check the path.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, UserError) or not isinstance(error, Exception):
            raise
        fix = FROZEN if "non-frozen" in str(error) else ""
        raise refuse(_line(file, error), "a file that can be imported", _words(error), fix) from error
    return module


def _line(file: Path, error: Exception) -> str:
    """The last line of the file on the way to the error."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or file}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
