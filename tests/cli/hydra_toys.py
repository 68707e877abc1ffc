"""A launcher and a sweeper as Hydra's plugins are: jobs in processes of their own, and a search by what they return."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

RETURNED: list[Any] = []
"""What the sweeper has been given: its direction, then what each job returned."""


class ForkingLauncher(Launcher):
    """Makes each job in a process of its own, as joblib and submitit do."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        context, returns = multiprocessing.get_context("fork"), []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            here, there = context.Pipe()
            process = context.Process(target=self._make, args=(list(overrides), number, there))
            process.start()
            returns.append(here.recv())
            process.join()
        return returns

    def _make(self, overrides: list[str], number: int, reply: Connection) -> None:
        config = self.context.config_loader.load_sweep_config(self.config, overrides)
        with open_dict(config):
            config.hydra.job.num = number
        made = run_job(
            hydra_context=self.context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        reply.send(JobReturn(status=made.status, _return_value=made._return_value))


class EndsSweeper(Sweeper):
    """Tries both ends of every interval, one job at a time."""

    def __init__(self, direction: str) -> None:
        self.direction = direction

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)
        self.config = config

    def sweep(self, arguments: list[str]) -> None:
        RETURNED[:] = [self.direction]
        for at, end in enumerate((0, 1)):
            intervals = [each.replace("interval(", "").rstrip(")").split(",") for each in arguments]
            chosen = [low if end == 0 or not high else f"{low.partition('=')[0]}={high[0]}" for low, *high in intervals]
            RETURNED.extend(each.return_value for each in self.launcher.launch([chosen], initial_job_idx=at))


@dataclass
class ForkingConfig:
    _target_: str = "hydra_plugins.toys.ForkingLauncher"


@dataclass
class EndsConfig:
    _target_: str = "hydra_plugins.toys.EndsSweeper"
    direction: str = "minimize"


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers both as `hydra/launcher=forking` and `hydra/sweeper=ends`, in the only package where Hydra takes them."""
    plugins = Plugins.instance()  # which looks through the package, where there is one, before it is replaced
    package = ModuleType("hydra_plugins") if find_spec("hydra_plugins") is None else import_module("hydra_plugins")
    monkeypatch.setitem(sys.modules, "hydra_plugins", package)
    monkeypatch.setitem(sys.modules, "hydra_plugins.toys", sys.modules[__name__])
    for plugin in (ForkingLauncher, EndsSweeper):
        monkeypatch.setattr(plugin, "__module__", "hydra_plugins.toys")
        plugins.register(plugin)
    store = ConfigStore.instance()
    store.store("forking", ForkingConfig, group="hydra/launcher")
    store.store("ends", EndsConfig, group="hydra/sweeper")
