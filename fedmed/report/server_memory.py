"""What the methods of a run kept on the server, for figures of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fedmed.comparison.runs import ComparedRun
from fedmed.errors import UserError


def memories(run: ComparedRun, notes: list[str]) -> Iterator[Any]:
    """What the members of the run's chain keep on the server. notes: gets what cannot be read."""
    from fedmed.rundir.checkpoint import load_server  # torch takes long, and few runs have such figures

    try:
        yield from (load_server(run.path / "checkpoints").get("state") or {}).values()
    except UserError as error:
        notes += [str(fault) for fault in error.faults]
