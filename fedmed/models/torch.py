"""A network of the user's own: any module of torch, its class, or a function that makes it."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import Parameter, signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from fedmed import rng
from fedmed.errors import refuse
from fedmed.models.content import digest
from fedmed.models.net import Model, Net
from fedmed.models.split import split
from fedmed.options.base import IN_MEMORY
from fedmed.options.code import USER, resolve, words_of
from fedmed.workers.by_value import pickled

FILE = "module.pkl"
"""Where a run directory keeps a module that no file of the user's defines by name."""

ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("channels", "in_channels"), "channels"),
        **dict.fromkeys(("outputs", "out_channels", "num_classes", "classes"), "outputs"),
        **dict.fromkeys(("side", "image_size", "img_size"), "side"),
        **dict.fromkeys(("dimensions", "spatial_dims"), "dimensions"),
    }
)
"""Parameters of a class or a function that are known by their names, and what they are given."""

FORM = "a torch.nn.Module, its class, or a function of (channels, outputs) that makes one"


@dataclass(frozen=True, kw_only=True)
class TorchModel(Model):
    """A network of your own, any torch.nn.Module: its layer that gives the logits is the head, all else the features.

    A class or a function is called with channels, outputs, side and dimensions (2, or 3 for volumes), by whichever
    names of theirs it has, and draws its weights under the seed of the run; an instance is where training starts. What
    forward returns are the logits, the output of the head itself: no softmax after it. Raises `UserError` where the
    module is none of these.

    module: the module, its class, or a function of (channels, outputs) or (channels, outputs, side) that makes one.
    code: class, function or module as path/to/file.py:name, in place of module.
    head: name of the layer that gives the logits, such as fc or classifier.1 (empty: found).
    file: pickled module, in place of code; filled in where a run keeps one.
    digest: of the module, which stands for it where there is no code; filled in.
    channels_last: memory layout of weights and images; with true, forward may not use view on images.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel", "segmentation"})
    dimensions: ClassVar[frozenset[int]] = frozenset({2, 3})

    module: Any = field(default=None, repr=False, compare=False, metadata=IN_MEMORY)
    code: str = ""
    head: str = ""
    file: str | None = None
    digest: str = ""
    channels_last: bool = False

    def __post_init__(self) -> None:
        """Finds the module by its code or in its file, or says where it can be found."""
        if self.module is not None:
            self._check()
            code = code_of(self.module)
            file, found = (None, "") if code else (FILE, digest(self.module))
            self._fill(code=code, file=file, digest=found)
        elif self.code:
            self._fill(module=_by_code(self.code))
            self._check()
        elif self.file is not None:
            self._fill(module=_unpickled(Path(self.file)), file=FILE)
            self._check()
            self._fill(digest=self.digest or digest(self.module))
        else:
            raise refuse("model.code", "path/to/file.py:name of your module", "nothing", "From Python, module=...")

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        given = {"channels": channels, "outputs": outputs, "side": side, "dimensions": dimensions}
        made = copy.deepcopy(self.module) if isinstance(self.module, nn.Module) else _called(self.module, given)
        if not isinstance(made, nn.Module):
            raise refuse("model", FORM, f"one that gives a {type(made).__name__}", "Return the module.")
        images = torch.randn((2, channels, *(side,) * dimensions), generator=rng.generator(0, "module on trial"))
        return split(made.cpu().float(), images, head=self.head).train()

    def pickled(self) -> bytes:
        """The module as bytes for a file, classes of a script or a notebook by their code; raises `UserError`."""
        try:
            return pickled(self.module)
        except Exception as error:
            fix = "Define it in a file and give its class or a function of that file."
            raise refuse("model", "a module that can be pickled", words_of(error), fix) from error

    def _check(self) -> None:
        if not is_module(self.module):
            raise refuse("model", FORM, repr(self.module), "For example model=MyNet.")

    def _fill(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def is_module(value: object) -> bool:
    """Whether a value is a module of torch, a class of modules, or a function that may make one."""
    if isinstance(value, type):
        return issubclass(value, nn.Module)
    return isinstance(value, nn.Module) or (callable(value) and not isinstance(value, Model))


def code_of(module: object) -> str:
    """`path/to/file.py:name` of a class or a function that the script or a file of the user's defines; else empty."""
    name, home = getattr(module, "__qualname__", ""), str(getattr(module, "__module__", ""))
    file = getattr(sys.modules.get(home), "__file__", None)
    there = home == "__main__" or home.startswith(f"{USER}.")
    if not there or file is None or vars(sys.modules[home]).get(name) is not module:
        return ""
    return f"{Path(file).resolve()}:{name}"


def _by_code(code: str) -> Any:
    """What `path/to/file.py:name` names; a script that is running is not imported a second time."""
    path, _, name = code.rpartition(":")
    script = sys.modules["__main__"]
    file = getattr(script, "__file__", None)
    if file is not None and Path(file).resolve() == Path(path).expanduser().resolve() and name in vars(script):
        return vars(script)[name]
    if not path.endswith(".py"):
        raise refuse("model.code", "path/to/file.py:name of your module", code, "")
    return resolve(code)


def _unpickled(path: Path) -> Any:
    fix = "What it is of must be importable here; or go on from Python: fedmed.load(directory).resume(experiment)."
    try:
        return pickle.loads(path.read_bytes())
    except Exception as error:
        raise refuse(f"model.file={path}", "a pickled module", words_of(error), fix) from error


def _called(make: Callable[..., Any], given: Mapping[str, int]) -> Any:
    """What a class or a function gives for the channels, outputs and side of the images."""
    known, unknown = _parameters(make)
    fix = "Give a function: TorchModel(module=make), with def make(channels, outputs): return MyNet(...)."
    try:
        if not unknown:
            return make(**{name: given[meaning] for name, meaning in known.items()})
        if not known and len(unknown) in (2, 3) and not isinstance(make, type):
            return make(*list(given.values())[: len(unknown)])
    except Exception as error:
        raise refuse("model", f"a module for {_words(given)}", words_of(error), fix) from error
    raise refuse("model", f"a class or a function of {', '.join(ARGUMENTS)}", f"one of {', '.join(unknown)}", fix)


def _parameters(make: Callable[..., Any]) -> tuple[dict[str, str], list[str]]:
    """Parameters with what they are given, by name, and those without a default of which nobody knows what to give."""
    try:
        found = signature(make).parameters.values()
    except (TypeError, ValueError):
        return {}, []
    positional = [each for each in found if each.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)]
    known = {each.name: ARGUMENTS[each.name] for each in positional if each.name in ARGUMENTS}
    return known, [each.name for each in positional if each.name not in known and each.default is Parameter.empty]


def _words(given: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in given.items())
