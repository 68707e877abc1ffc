"""What every test shares: one torch thread, no settings of who starts them, and the folder of real images if any."""

import gc
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest

from tests.fresh import Fedmed

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the number of threads moves the last bits
for name in ("FEDMED_RUNS", "FEDMED_PATH", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "HYDRA_FULL_ERROR"):
    os.environ.pop(name, None)  # what whoever starts the tests has set for runs of their own, or has from a terminal
for sign, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(sign) == signal.SIG_IGN:  # in the background of a shell, or by nohup; children inherit it
        signal.signal(sign, usual)
with suppress(ImportError):  # where Hydra configures logging, absl would close the stream that it began with: pytest's
    from absl import logging as absl_logging

    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__
gc.disable()  # until all tests are collected: what that makes stays, and looking for garbage in it takes a while


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder `shared/data` beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real-data test: there is no folder ../shared/data beside the checkout")
    return folder


@pytest.fixture
def fedmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fedmed:
    """fedmed(*arguments): exit code, standard output and standard error of the command, called in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        from fedmed.cli.main import main

        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def spawn_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that would be spawned are forked from a fresh process instead, which imports torch once for all of them.

    For tests of what happens before and after: that spawning works has tests of its own.
    """

    def context(method: str) -> BaseContext:
        if method != "spawn" or sys.platform != "linux":
            return get_context(method)
        server = get_context("forkserver")
        server.set_forkserver_preload(["fedmed.run"])
        return server

    monkeypatch.setattr("fedmed.engine.worker_factory.get_context", context)
