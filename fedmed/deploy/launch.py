"""Handing a run over to be carried out elsewhere, and waiting for its result."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from shlex import quote

from fedmed.config.values import Config
from fedmed.deploy.bundle import write_bundle
from fedmed.engine.base import LaunchingEngine
from fedmed.errors import refuse
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.final import Final


def check_portable(config: Config) -> None:
    """Raises `UserError` where a config names what does not travel with it: a module that no file has by name."""
    if config.get("model.file") is not None:
        expected, fix = (
            "a module whose code is in a file, as the run is carried out elsewhere",
            "Name that file and it:",
        )
        raise refuse("model", expected, "a pickled one", f"{fix} model=torch model.code=path/to/file.py:name.")


def launch(engine: LaunchingEngine, config_yaml: str, directory: Path, *, resume: bool) -> Final:
    """The result of a run that others carry out, whose log goes to standard error meanwhile.

    Raises `UserError` where the run leaves no result in the directory, as seen from this machine, and
    `KeyboardInterrupt` with what to do next where the watching is interrupted and the run goes on.
    """
    engine.check()
    write = partial(write_bundle, config_yaml=config_yaml, directory=directory.resolve(), resume=resume)
    engine.launch(write, directory).follow()
    final = RunDirectory(directory).final()
    if final is None:
        fix = f"The log above says why. If the run has begun, fedmed run {quote(f'resume={directory}')} continues it."
        raise refuse("engine", f"a result of the SuperLink's in {directory}", "none", fix)
    return final
