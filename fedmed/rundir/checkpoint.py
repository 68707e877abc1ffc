"""Checkpoints that survive a kill at any moment: one commit per round, made valid by replacing one manifest last.

New files take new names, so that the previous commit stays whole until the manifest is replaced; files that only the
previous commit names are removed then, and what a killed commit left when its run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from fedmed.errors import refuse
from fedmed.files import make_folder, sync_folder, write_atomically, write_synced
from fedmed.rundir.manifest import RESTORE, Manifest, digest_of, own_file, read_file, read_manifest, write_manifest
from fedmed.rundir.tensors import pack_state, pack_weights, read_weights, unpack_state, weights_digest

BEST = "best.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped.

    round: rounds done.
    shared: entries of the global model's state dict; loaded contiguous, in the same order, bits and dtypes as saved.
    server: nested dicts and lists of tensors, numbers, strings, booleans, None.
    clients: the same per client id; saving takes those that changed since the last commit, loading gives all.
    progress: what JSON can hold (the best round so far, ...); NaN becomes None.
    """

    round: int
    shared: Mapping[str, Tensor]
    server: dict[str, Any] = field(default_factory=dict)
    clients: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Commits the checkpoint; raises ValueError unless its round is later than the committed one."""
    make_folder(folder)
    last = read_manifest(folder) or Manifest()
    if checkpoint.round <= last.round:
        raise ValueError(f"round {checkpoint.round} comes after round {last.round}, which is already committed")
    manifest = _write_files(folder, checkpoint, last)
    sync_folder(folder)
    write_manifest(folder, manifest)
    for name in last.files.keys() - manifest.files.keys():
        (folder / name).unlink(missing_ok=True)


def load(folder: Path) -> Checkpoint | None:
    """The last commit, with the latest state of every client; None where nothing was ever committed.

    Raises UserError naming the file that is damaged or missing.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    read_file(folder, manifest, manifest.model)
    return Checkpoint(
        round=manifest.round,
        shared=read_weights(folder / manifest.model)[0],
        server=_read_state(folder, manifest, manifest.server),
        clients={int(id): _read_state(folder, manifest, name) for id, name in manifest.clients.items()},
        progress=manifest.progress,
    )


def recover(folder: Path) -> Checkpoint | None:
    """`load`, for the run that goes on from there: it also removes what a commit left that was killed half-way."""
    if (manifest := read_manifest(folder)) is not None:
        _remove_unnamed(folder, manifest)
    return load(folder)


def load_client(folder: Path, id: int) -> dict[str, Any]:
    """The latest committed state of one client; empty when it has none."""
    manifest = read_manifest(folder) or Manifest()
    name = manifest.clients.get(str(id))
    return _read_state(folder, manifest, name) if name else {}


def load_server(folder: Path) -> dict[str, Any]:
    """The latest committed state of the server; empty where nothing was ever committed."""
    manifest = read_manifest(folder)
    return {} if manifest is None else _read_state(folder, manifest, manifest.server)


def save_best(folder: Path, round: int, weights: Mapping[str, Tensor]) -> None:
    """Keeps the weights of the best round so far, in place of those of an earlier one."""
    notes = {"round": str(round)}
    write_atomically(folder / BEST, pack_weights(weights, notes | {"digest": weights_digest(weights, notes)}))


def load_best(folder: Path) -> tuple[int, dict[str, Tensor]] | None:
    """The best round and its weights; None when none was kept; raises UserError where they are not what was kept."""
    path = folder / BEST
    if not path.exists():
        return None
    weights, notes = read_weights(own_file(folder, BEST))
    digest = notes.pop("digest", None)  # runs of earlier versions have none
    if list(notes) != ["round"] or digest not in (None, weights_digest(weights, notes)):
        raise refuse(str(path), "the digest that it was written with", "another: bits have changed", RESTORE)
    return int(notes["round"]), weights


def _write_files(folder: Path, checkpoint: Checkpoint, last: Manifest) -> Manifest:
    """Writes the new files; the manifest names them beside the files of the clients that did not change."""
    round = checkpoint.round
    model, server = f"model_{round}.safetensors", f"server_{round}.pt"
    names = {str(id): f"client_{id}_{round}.pt" for id in checkpoint.clients}
    unchanged = [name for id, name in last.clients.items() if id not in names]
    files = {name: last.files[name] for name in unchanged}
    digests = {name: last.digests[name] for name in unchanged if name in last.digests}

    def write(name: str, content: bytes) -> None:
        files[name], digests[name] = write_synced(folder / name, content), digest_of(content)

    write(model, pack_weights(checkpoint.shared))
    write(server, pack_state(checkpoint.server, "server"))
    for id, state in checkpoint.clients.items():
        write(names[str(id)], pack_state(state, f"client {id}"))
    return Manifest(
        round=round,
        model=model,
        server=server,
        clients={**last.clients, **names},
        files=files,
        digests=digests,
        progress=checkpoint.progress,
    )


def _remove_unnamed(folder: Path, manifest: Manifest) -> None:
    for pattern in ("model_*.safetensors", "server_*.pt", "client_*.pt"):
        for path in folder.glob(pattern):
            if path.name not in manifest.files:
                path.unlink()


def _read_state(folder: Path, manifest: Manifest, name: str) -> dict[str, Any]:
    return unpack_state(read_file(folder, manifest, name), folder / name)
