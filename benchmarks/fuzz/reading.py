"""Reads one input as `fedmed run`, `describe` and `predict` do, and says how that ended."""

from __future__ import annotations

import io
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.fuzz.inputs import Input
from fedmed.cli.main import main
from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.partition import FilePartition, IidPartition, Partition
from fedmed.data.shift import NoneShift
from fedmed.data.world import build_world
from fedmed.datasets.npz import Npz
from fedmed.datasets.synthetic_multiclass import SyntheticMulticlass
from fedmed.errors import UserError, refuse
from fedmed.inference.predict import read_images
from fedmed.run.federation import federation_summary
from fedmed.server.sampling import AvailabilitySampling

LIMIT = 20.0
"""Seconds of computing after which an input counts as a hang; on a busy machine they may take far longer."""

PATIENCE = 10 * LIMIT
"""Seconds after which an input that computes nothing counts as a hang."""


class Hang(BaseException):
    """An input took longer than LIMIT, or PATIENCE."""


class Ending(NamedTuple):
    """How it ended: read, refused, traceback, memory or hang; and what it wrote."""

    how: str
    output: str


def ending(case: Input) -> Ending:
    """How reading the input ends."""
    try:
        with _limit(LIMIT, PATIENCE), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if case.words:
                _command(case.path, case.words)
            else:
                READERS[case.option](case.path)
    except UserError as error:
        return Ending("refused", str(error))
    except MemoryError:
        return Ending("memory", traceback.format_exc())
    except Hang:
        return Ending("hang", traceback.format_exc())
    except Exception:
        return Ending("traceback", traceback.format_exc())
    return Ending("read", "")


@contextmanager
def _limit(computing: float, waiting: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, computing), signal.SIGALRM: (signal.ITIMER_REAL, waiting)}
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def _command(folder: Path, words: tuple[str, ...]) -> None:
    """The command in that folder; raises UserError with what it said where it refused."""
    before, output = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(output):
            code = main(words)
    except SystemExit as exit:
        code = int(exit.code or 0)
    finally:
        os.chdir(before)
    printed = f"{' '.join(words)}\n{output.getvalue()}"
    if code == 2 and output.getvalue().strip():
        raise refuse("", "", printed)
    if code:
        raise RuntimeError(f"exit code {code}: {printed}")


def _world(dataset: Npz | SyntheticMulticlass, partition: Partition, clients: int | None) -> None:
    world = build_world(
        dataset,
        partition=partition,
        annotation=CompleteAnnotation(),
        shift=NoneShift(),
        clients=clients,
        client_test=0.2,
        seed=0,
    )
    made = federation_summary(world, "fuzz")
    assert np.isfinite(made.counts).all()
    assert all(share.train.x.isfinite().all() for share in world.shares)


def _dataset(path: Path) -> None:
    _world(Npz(path=str(path)), IidPartition(), 2)


def _partition(path: Path) -> None:
    small = SyntheticMulticlass(images=30, test_images=6, side=16, classes=3)
    _world(small, FilePartition(path=str(path)), None)


def _predict(path: Path) -> None:
    read_images(path, {"channels": 1, "side": 6, "pixels": "uint8"})


def _sampling(path: Path) -> None:
    sampling = AvailabilitySampling(path=str(path))
    if faults := list(sampling.faults(4)):
        raise UserError(*faults)
    sampling.draw(dict.fromkeys(range(4), 1), 2, seed=0, round=1)


READERS: Mapping[str, Callable[[Path], None]] = {
    "dataset": _dataset,
    "partition": _partition,
    "predict": _predict,
    "sampling": _sampling,
}
