"""A sweep is made by Hydra's sweeper and launcher, whichever were chosen: in this process, in others, elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from fedmed.config.compose import Plan, session
from fedmed.config.plain import plain
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import UserError
from fedmed.options.catalogue import discover

FOUND = "optimization_results.yaml"
"""What Hydra's sweepers that search write into the folder of the sweep."""

Task = Callable[[Config, Path, int], Any]
"""What makes a job: its checked config, its directory and its number, from 0. What it returns is what a search judges.

Launchers may pickle it and call it in another process."""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep has left. folder: of its jobs. runs: run directories that are new there, in order of their names."""

    folder: Path
    runs: tuple[Path, ...]

    @property
    def found(self) -> Path | None:
        """The file into which a sweeper that searched has written what it found; None where it has written none."""
        file = self.folder / FOUND
        return file if file.is_file() else None


def sweep(checked: Plan, task: Task, *, options: Sequence[str] = ()) -> SweepResult:
    """Makes every job of a sweep; raises what the first failed job raised.

    options: further overrides of Hydra's own.
    """
    job = _Job(task)
    overrides = [*checked.overrides, *options]
    with session(checked.catalogue, overrides) as app:
        config = app.compose_config("config", overrides, run_mode=RunMode.MULTIRUN, with_log_configuration=True)
        folder = Path(config.hydra.sweep.dir)
        before = _runs(folder)
        callbacks = Callbacks(config)
        callbacks.on_multirun_start(config=config, config_name="config")
        context = HydraContext(config_loader=app.config_loader, callbacks=callbacks)
        sweeper = Plugins.instance().instantiate_sweeper(hydra_context=context, task_function=job, config=config)
        given: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        sweeper.sweep(arguments=given)
        callbacks.on_multirun_end(config=config, config_name="config")
    return SweepResult(folder, tuple(sorted(_runs(folder) - before, key=_counted)))


@dataclass(frozen=True, slots=True)
class _Job:
    """What a launcher calls; checked again, as a search chooses values that nobody has seen before."""

    task: Task

    def __call__(self, composed: DictConfig) -> Any:
        catalogue, about = discover(), HydraConfig.get()
        config = plain(composed, catalogue)
        if faults := validate(config, catalogue):
            raise UserError(*faults)
        return self.task(config, Path(about.runtime.output_dir), int(about.job.num))


def _runs(folder: Path) -> set[Path]:
    """Run directories below a folder."""
    return {file.parent for file in folder.rglob("run.json")}


def _counted(path: Path) -> list[str]:
    """A path as a key by which 2 comes before 10."""
    return [part.zfill(20) if part.isdecimal() else part for part in re.split(r"(\d+)", str(path))]
