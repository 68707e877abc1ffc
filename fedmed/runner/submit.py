"""Handing a run to a SuperLink with `flwr run`, and waiting for its result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from fedmed.config.build import build
from fedmed.engine import loopback
from fedmed.engine.superlink import SuperlinkEngine
from fedmed.errors import refuse
from fedmed.offline import go_offline
from fedmed.results.store import RunDirectory
from fedmed.results.summary import Final
from fedmed.runner.bundle import write_bundle


def superlink_of(config: DictConfig) -> SuperlinkEngine | None:
    """The engine of a config, where it hands whole runs over."""
    engine = build(config.engine)
    return engine if isinstance(engine, SuperlinkEngine) else None


def submit(engine: SuperlinkEngine, config_yaml: str, directory: Path, *, resume: bool) -> Final:
    """The result of a run on a SuperLink, whose log goes to standard error meanwhile.

    Raises `UserError` where the run leaves no result in the directory, as seen from this machine.
    """
    engine.check()
    if engine.connection == loopback.NAME and not loopback.is_running():
        fix = f"fedmed deploy --local N resume={directory}, with as many clients, starts it again."
        raise refuse("engine.connection", "a SuperLink that runs", "that of fedmed deploy, which has ended", fix)
    go_offline()
    with TemporaryDirectory(prefix="fedmed-run-") as folder:
        write_bundle(Path(folder), config_yaml, directory.resolve(), resume=resume)
        command = [
            loopback.program("flwr"),
            "run",
            folder,
            *([engine.connection] if engine.connection else []),
            "--stream",
        ]
        subprocess.run(command, stdout=sys.stderr, env=os.environ, check=False)
    final = RunDirectory(directory).final()
    if final is None:
        fix = f"The log above says why. If the run has begun, fedmed run resume={directory} continues it."
        raise refuse("engine", f"a result of the SuperLink's in {directory}", "none", fix)
    return final
