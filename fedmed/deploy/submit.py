"""Handing a run to a SuperLink, and waiting for its result."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

from fedmed.deploy import loopback
from fedmed.deploy.bundle import write_bundle
from fedmed.deploy.flower_run import FlowerRun
from fedmed.engine.superlink import SuperlinkEngine
from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.offline import go_offline
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.final import Final


def superlink_of(experiment: Experiment) -> SuperlinkEngine | None:
    """The engine of an experiment, where it hands whole runs over."""
    engine = experiment.engine
    return engine if isinstance(engine, SuperlinkEngine) else None


def submit(engine: SuperlinkEngine, config_yaml: str, directory: Path, *, resume: bool) -> Final:
    """The result of a run on a SuperLink, whose log goes to standard error meanwhile.

    Raises `UserError` where the run leaves no result in the directory, as seen from this machine, and
    `KeyboardInterrupt` with what to do next where the watching is interrupted and the run goes on.
    """
    engine.check()
    if engine.connection == loopback.NAME and loopback.home() is None:
        fix = f"fedmed deploy --local N {quote(f'resume={directory}')}, with as many clients, starts it again."
        raise refuse("engine.connection", "a SuperLink that runs", "that of fedmed deploy, which has ended", fix)
    go_offline()
    with TemporaryDirectory(prefix="fedmed-run-", dir=loopback.home()) as folder:
        write_bundle(Path(folder), config_yaml, directory.resolve(), resume=resume)
        handed_over = FlowerRun.submit(Path(folder), engine.connection)
    try:
        handed_over.follow()
    except KeyboardInterrupt:
        if engine.connection == loopback.NAME:
            raise
        stop = f"flwr stop {handed_over.id} {engine.connection}"
        raise KeyboardInterrupt(f"The run goes on at the SuperLink; this ends it: {stop}") from None
    final = RunDirectory(directory).final()
    if final is None:
        fix = f"The log above says why. If the run has begun, fedmed run {quote(f'resume={directory}')} continues it."
        raise refuse("engine", f"a result of the SuperLink's in {directory}", "none", fix)
    return final
