"""The directory of a run: made whole before it is one, and found again with what a kill has kept from being written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fedmed.config.stored import read_stored
from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.inference import model_card
from fedmed.method import chain
from fedmed.models.net import fixed
from fedmed.models.torch import FILE as MODULE
from fedmed.models.torch import TorchModel
from fedmed.run.federation import keep_federation
from fedmed.run.identity import identity
from fedmed.run.parts import Parts
from fedmed.rundir import federation
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.environment import environment


def create(parts: Parts, path: Path, config_yaml: str) -> RunDirectory:
    """A new run's directory, with all that it holds before the first round."""
    module = _module_of(parts)
    return RunDirectory.create(
        path,
        config_yaml=config_yaml,
        identity=parts.identity,
        environment=environment(),
        fingerprints=parts.fingerprints,
        directions=parts.directions,
        rounds=parts.experiment.rounds,
        fill=lambda: _fill(parts, path, config_yaml, module),
    )


def reopen(parts: Parts, path: Path) -> RunDirectory:
    """The directory of a run that goes on; raises `UserError` unless the parts are those of the run."""
    kept = RunDirectory.open(path)
    files = parts.fingerprints.get("files", "") if "files" in kept.fingerprints else ""
    found = identity(parts.requested, parts.world, parts.net, kept=read_stored(path), files=files)
    if found != kept.identity:
        fix = "The images, the options or the files behind it have changed; start a new run."
        raise refuse("resume", f"the run {kept.identity[:8]}", found[:8], fix)
    _fill(parts, path, kept.config_yaml, _module_of(parts))
    return kept


def _module_of(parts: Parts) -> bytes | None:
    """The pickled module of the user's that the run has to keep; None where it has none or its code has a name."""
    model = parts.experiment.model
    return model.pickled() if isinstance(model, TorchModel) and model.file is not None else None


def _fill(parts: Parts, path: Path, config_yaml: str, module: bytes | None) -> None:
    """Writes what is not there of the files that others read beside the run's own."""
    files: dict[str, Callable[[], None]] = {
        model_card.NAME: lambda: _write_card(path, parts),
        federation.NAME: lambda: keep_federation(parts, config_yaml, path),
    }
    if module is not None:
        files[MODULE] = lambda: write_atomically(path / MODULE, module)
    for name, write in files.items():
        if not (path / name).exists():
            write()


def _write_card(path: Path, parts: Parts) -> None:
    made = [(name, chain(method)) for name, method in parts.chain.members.items()]
    built = [name for name, method in made if any(map(method.has, ("build", "predict", "adjust")))]
    local, frozen = parts.trainer.local, bool(fixed(parts.trainer.net))
    model_card.write_card(path, parts.task, parts.world, local=local, built=built, frozen=frozen)
