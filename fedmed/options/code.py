"""Code of the user's own, imported from the files that options name."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from fedmed.errors import UserError, refuse

USER = "fedmed.user"
"""Where modules made of users' files are imported."""

_TEXT = "__fedmed_text__"
"""Where an imported module keeps the text that it was made of."""

FROZEN = "A class of options is decorated with @dataclass(frozen=True, kw_only=True)."


def resolve(target: str) -> Any:
    """What `package.module.name` or `path/to/file.py:name` names; imports its module.

    A file is imported once, and again where it has changed.
    Raises `UserError` where a file does not exist or has no such name.
    """
    if ".py:" not in target:
        module, _, name = target.rpartition(".")
        try:
            return vars(importlib.import_module(module))[name]
        except (KeyError, ImportError) as error:
            fix = "A class of a notebook lives in that notebook: continue there, fedmed.load(...).resume(experiment)."
            raise refuse(target, "a class that can be imported", words_of(error), fix) from error
    path, _, name = target.rpartition(":")
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise refuse(target, "a file that exists", file, "Check the path.")
    found = vars(_import_file(file))
    if name not in found:
        raise refuse(target, f"{name}, defined in {file.name}", "no such name", "Check the name after the colon.")
    return found[name]


def files_of(pickled: bytes) -> list[Path]:
    """The users' files that a pickle needs, of those that `resolve` has imported; another process imports them first.

    A pickle spells the modules of its classes and functions. Files that others imported may be gone by now.
    """
    own = {name: module for name, module in sys.modules.items() if name.startswith(f"{USER}.")}
    return [Path(vars(module)["__file__"]) for name, module in own.items() if name.encode() in pickled]


def import_files(files: Iterable[Path]) -> None:
    """Imports users' files under the names that `resolve` gives them."""
    for file in files:
        _import_file(file)


def _import_file(file: Path) -> ModuleType:
    """Imports a file under a name of its own that ends in its stem, so that its instances can be pickled.

    One that has changed since is imported again: in a notebook one edits a file and runs the next cell.
    """
    name = f"{USER}.x{blake2b(str(file).encode(), digest_size=6).hexdigest()}.{file.stem}"
    text = file.read_bytes() if file.is_file() else b""
    if name in sys.modules and vars(sys.modules[name]).get(_TEXT, text) == text:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise refuse(str(file), "a Python file", file.suffix, "Check the path.")
    module = importlib.util.module_from_spec(spec)
    vars(module)[_TEXT] = text
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        # from its text, as Python goes by the second and the size of a file and would take the code of before
        exec(compile(text, str(file), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        if isinstance(error, UserError) or not isinstance(error, Exception):
            raise
        fix = FROZEN if "non-frozen" in str(error) else ""
        raise refuse(_line(file, error), "a file that can be imported", words_of(error), fix) from error
    return module


def _line(file: Path, error: Exception) -> str:
    """The last line of the file on the way to the error."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or file}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def words_of(error: Exception) -> str:
    """An error as its type and what it says."""
    return f"{type(error).__name__}: {error}".rstrip(".")
