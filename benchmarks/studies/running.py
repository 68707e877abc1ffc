"""Runs of studies, each done once and kept, shared out over processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.studies.study import Overrides


class Run(NamedTuple):
    """One `fedmed run`; two with the same overrides and seed are the same run."""

    overrides: Overrides
    seed: int

    def directory(self, root: Path) -> Path:
        """Where it is kept."""
        digest = hashlib.sha256(json.dumps([self.overrides, self.seed]).encode()).hexdigest()
        return root / digest[:16]


def finished(run: Run, root: Path) -> dict[str, Any] | None:
    """The final metrics of a run that was done."""
    path = run.directory(root) / "final.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def audit(run: Run, root: Path) -> list[Mapping[str, float]]:
    """The audit rows of a run that was done: round, client, and what the methods' inner values are worth."""
    return _rows(run.directory(root) / "audit.jsonl")


def rounds(run: Run, root: Path) -> list[Mapping[str, float]]:
    """The rows of rounds of a run that was done."""
    return _rows(run.directory(root) / "rounds.jsonl")


def _rows(path: Path) -> list[Mapping[str, float]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def do(runs: Iterable[Run], root: Path, workers: int, show: Callable[[int, int], None]) -> None:
    """Does every run that was not done before; one that fails leaves its words in a log and stops no other."""
    todo = [run for run in dict.fromkeys(runs) if finished(run, root) is None]
    if not todo:
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for number, future in enumerate(as_completed([pool.submit(_do, run, root) for run in todo]), 1):
            future.result()
            show(number, len(todo))


def _do(run: Run, root: Path) -> None:
    from fedmed.cli.main import main

    directory = run.directory(root)
    shutil.rmtree(directory, ignore_errors=True)  # what an interrupted run left
    with _log(root / f"{directory.name}.log") as log:
        try:
            code = main(["run", "--quiet", *run.overrides, f"seed={run.seed}", f"hydra.run.dir={directory}"])
        except Exception:
            traceback.print_exc(file=log)
            code = 1
    if code == 0:
        (root / f"{directory.name}.log").unlink()


@contextlib.contextmanager
def _log(path: Path) -> Iterator[Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield log
