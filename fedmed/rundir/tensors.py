"""Tensors and nested state as bytes: weights as safetensors, state as torch files that hold no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fedmed.errors import refuse


def pack_weights(weights: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file of contiguous copies; safetensors sorts the names, so their order is noted beside them."""
    copies = {name: w.detach().cpu().clone(memory_format=torch.contiguous_format) for name, w in weights.items()}
    return save(copies, {"names": json.dumps(list(weights)), **(notes or {})})


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `pack_weights` was given, contiguous; raises UserError where the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            notes: dict[str, str] = file.metadata()
            weights = {name: file.get_tensor(name).clone() for name in json.loads(notes.pop("names"))}
    except (SafetensorError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(path, error) from error
    return weights, notes


def weights_digest(weights: Mapping[str, Tensor], notes: Mapping[str, str]) -> str:
    """blake2b of names, dtypes, shapes and bits, in hexadecimal, for a file that has to tell its own digest."""
    digest = blake2b(json.dumps(dict(notes), sort_keys=True).encode(), digest_size=16)
    for name, w in weights.items():
        digest.update(repr((name, w.dtype, tuple(w.shape))).encode())
        digest.update(w.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def pack_state(state: Mapping[str, Any], owner: str) -> bytes:
    """A torch file of the state, loadable without running code; raises UserError naming a value that is not data."""
    buffer = BytesIO()
    torch.save(_data(state, owner), buffer)
    return buffer.getvalue()


def unpack_state(content: bytes, path: Path) -> dict[str, Any]:
    """The state, on the CPU; raises UserError naming `path` where the content is damaged."""
    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged files
        raise _damaged(path, error) from error
    if not isinstance(state, dict):
        raise _damaged(path, TypeError(f"holds a {type(state).__name__}"))
    return state


def _data(value: Any, where: str) -> Any:
    """The value rebuilt from plain types; tensors keep their strides and leave behind what they are a view of."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {_key(key, where): _data(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_data(item, f"{where}.{number}") for number, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    expected = "a tensor, number, string, boolean, None, or a dict or list of these"
    raise refuse(f"state {where}", expected, type(value).__name__, "Keep only such values in the state.")


def _key(key: object, where: str) -> str | int:
    if isinstance(key, str | int):
        return key
    raise refuse(f"state {where}", "names or whole numbers as keys", repr(key), "Use text as the key.")


def _damaged(path: Path, error: Exception) -> Exception:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return refuse(str(path), "a whole file of tensors", f"a damaged one ({reason})", "Restore it, or start anew.")
