"""Files of weights: the tensors in them by name, and nothing that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from fedmed.errors import Fault, UserError, refuse

EXPORTED = "weights.safetensors"
"""What `fedmed export` writes into a run directory."""

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Under which names files keep weights beside other things."""


def file_of(path: Path) -> Path:
    """The file of weights: of a run directory, what `fedmed export` has written there."""
    return path / EXPORTED if path.is_dir() else path


def missing_file(path: Path, where: str = "model.weights") -> Fault:
    """What is said of a file of weights that is not there."""
    run = path.name == EXPORTED and path.parent.is_dir()
    fix = f"Write it: fedmed export {path.parent}" if run else "Check the path."
    return Fault(where, "a file", f"none at {path.absolute()}", fix)


def read_tensors(path: Path, *, where: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a torch file of tensors, by name; a pickle of anything else is refused.

    A torch file may hold them under one of `WRAPPERS`, beside plain values. where: what errors name.
    """
    if not path.is_file():
        raise UserError(missing_file(path, where))
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        # torch goes on with how to run a stranger's code
        reason = str(error).partition("\n")[0].partition(". ")[0]
        fix = "Save the tensors alone: safetensors.torch.save_file(net.state_dict(), 'weights.safetensors')."
        expected = "a safetensors file, or a torch file of tensors"
        raise refuse(where, expected, f"{path}: {reason}", fix) from error
    if isinstance(content, Mapping):
        content = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), content)
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise refuse(where, "a mapping from entry names to tensors", f"a {type(content).__name__} in {path}")
    return dict(content)
