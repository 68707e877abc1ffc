"""JSON that every reader accepts: NaN and infinity become null, numpy numbers become numbers, damage is named."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from fedmed.errors import refuse


def dumps(value: object, indent: int | None = None) -> str:
    """JSON text, without a line end; raises TypeError for what JSON cannot hold."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def parse(text: bytes, where: str) -> dict[str, Any]:
    """The object in the text; raises UserError naming `where` for anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refuse(where, "a JSON object", f"damaged text ({error})", "Start the run anew.") from error
    if not isinstance(value, dict):
        raise refuse(where, "a JSON object", type(value).__name__, "Start the run anew.")
    return value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"JSON cannot hold a {type(value).__name__}: {value!r}")
