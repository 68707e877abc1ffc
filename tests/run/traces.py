"""What must be equal between two runs that did the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from fedmed.rundir import checkpoint

CLOCK = "seconds"
"""Numbers whose name begins so are of the clock, not of the run."""


def weights(run: Path) -> bytes:
    """The file of the final shared weights."""
    (file,) = run.glob("checkpoints/model_*.safetensors")
    return file.read_bytes()


def trace(run: Path) -> dict[str, Any]:
    """Everything a run leaves that does not depend on the clock or on its folder, with tensors as bytes."""
    saved = checkpoint.load(run / "checkpoints")
    assert saved is not None
    final = json.loads((run / "final.json").read_text(encoding="utf-8"))
    return {
        "weights": weights(run),
        "best": _bits(checkpoint.load_best(run / "checkpoints")),
        "server": _bits(saved.server),
        "clients": _bits(saved.clients),
        "rounds": _rows(run / "rounds.jsonl"),
        "rows": _rows(run / "clients.jsonl"),
        "final": {name: value for name, value in _timeless(final).items() if name != "directory"},
    }


def leftovers(run: Path) -> list[str]:
    """Files that only an unfinished write leaves."""
    return [path.name for path in run.rglob("*") if path.name.endswith((".tmp", ".partial", ".part"))]


def _rows(file: Path) -> list[dict[str, Any]]:
    return [_timeless(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith(CLOCK)}


def _bits(value: Any) -> Any:
    """Nested dicts and lists with tensors as bytes, so that == compares bits."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, dict) or hasattr(value, "items"):
        return {key: _bits(each) for key, each in value.items()}
    return [_bits(each) for each in value] if isinstance(value, list | tuple) else value
