"""The ledger: every grant, refusal and settlement, one JSON object a line, added and never changed.

A grant that has no settlement counts as spent in full, so that a crash never gives privacy back that was spent. The
decisions of a period count from its closing row on; those of a period that was cut short are void, as nothing of it
has been run. A line that was cut short by a kill is dropped.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from fedmed.errors import Fault, refuse
from fedmed.files import about, make_folder, sync, sync_folder, without_links
from fedmed.options.code import words_of
from fedmed.rundir.json_text import dumps
from fedmed.scheduling.jobs import Job, JobsFile

FORMAT = 1
"""Version of the ledger's rows."""

CLOSED = "period"
VOID = "void"

NUMBER = (int, float)
FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "ledger": {"format": int, "accounting": str, "delta": NUMBER},
    "grant": {"job": str, "analyst": str, "time": NUMBER, "granted": dict, "utility": NUMBER, "directory": str},
    "refusal": {"job": str, "why": str},
    "settlement": {"job": str, "spent": dict, "rounds": int, "status": str},
    CLOSED: {"time": NUMBER},
    VOID: {},
}
"""Kinds of rows, and what has to stand in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A job that was granted. epsilons: by block. directory: of its run, as the ledger has it."""

    job: str
    analyst: str
    time: float
    epsilons: Mapping[str, float]
    directory: str
    utility: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the run of a granted job has spent. epsilons: by block. rounds: that it did. status: finished or failed."""

    job: str
    epsilons: Mapping[str, float]
    rounds: int
    status: str
    why: str = ""


@dataclass(slots=True)
class LedgerState:
    """What the rows of a ledger say. refused: why, by job. time: of the last closed period; -1 before the first."""

    grants: dict[str, Grant] = field(default_factory=dict)
    settlements: dict[str, Settlement] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    time: float = -1.0
    open: list[dict[str, Any]] = field(default_factory=list)

    @property
    def decided(self) -> set[str]:
        """Names of jobs that were granted or refused."""
        return {*self.grants, *self.refused}

    @property
    def pending(self) -> list[Grant]:
        """Grants whose runs have not settled, in their order."""
        return [grant for name, grant in self.grants.items() if name not in self.settlements]

    def spent(self, job: str) -> Mapping[str, float]:
        """Epsilon by block that a granted job has spent, as far as it is known: all of it until it settles."""
        return (self.settlements.get(job) or self.grants[job]).epsilons

    def take(self, row: Mapping[str, Any]) -> None:
        """Applies the next row of the ledger to the state."""
        kind = row["kind"]
        if kind in ("grant", "refusal"):
            self.open.append(dict(row))
        elif kind == VOID:
            self.open.clear()
        elif kind == CLOSED:
            for each in self.open:
                self._decide(each)
            self.open.clear()
            self.time = float(row["time"])
        elif kind == "settlement":
            name, why = str(row["job"]), str(row.get("why", ""))
            self.settlements[name] = Settlement(
                job=name, epsilons=row["spent"], rounds=row["rounds"], status=row["status"], why=why
            )

    def _decide(self, row: Mapping[str, Any]) -> None:
        name = str(row["job"])
        if row["kind"] == "refusal":
            self.refused[name] = str(row["why"])
            return
        self.grants[name] = Grant(
            job=name,
            analyst=str(row["analyst"]),
            time=float(row["time"]),
            epsilons=row["granted"],
            directory=str(row["directory"]),
            utility=float(row["utility"]),
        )


class Ledger:
    """An open ledger, locked against other processes; `open_ledger` makes one.

    state: what its rows say so far. head: its first row.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self._file = path, file
        self.state = LedgerState()
        self.head: dict[str, object] = {}
        self._take(rows_of(file, path))

    def add(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Adds rows in one write and waits until they are on the disk."""
        with about(self.path):
            self._file.write("".join(dumps(row) + "\n" for row in rows).encode())
            sync(self._file)
        self._take(rows)

    def _take(self, rows: Iterable[Mapping[str, object]]) -> None:
        for row in rows:
            self.head = self.head or dict(row)
            self.state.take(row)

    def spent(self, found: JobsFile) -> Any:
        """What all jobs have spent of every block at each order of the accounting (K, A)."""
        return sum((found.cost(self.state.spent(name)) for name in self.state.grants), start=0 * found.capacity)


@contextmanager
def open_ledger(path: Path, found: JobsFile) -> Iterator[Ledger]:
    """The ledger at `path`, made where there is none, for the length of a block, in which no other process can open it.

    found: the jobs file that it is about. Raises `UserError` where another process has it open, where it is damaged, or
    where it was kept by another accounting or delta.
    """
    make_folder(path.parent)
    with about(path), open(path, "a+b", opener=without_links) as file:
        _lock(file, path)
        _cut_torn_line(file)
        ledger = _opened(path, file, found)
        sync_folder(path.parent)
        yield ledger


@contextmanager
def ledger_copy(path: Path, found: JobsFile) -> Iterator[Ledger]:
    """A ledger that begins as the one at `path` is, and is forgotten at the end of the block."""
    with TemporaryFile() as file:
        if path.is_file():
            file.write(path.read_bytes())
        _cut_torn_line(file)
        yield _opened(path, file, found)


def _opened(path: Path, file: IO[bytes], found: JobsFile) -> Ledger:
    """The ledger in a file that has whole lines only, begun where it is empty."""
    ledger = Ledger(path, file)
    if file.seek(0, os.SEEK_END) == 0:
        ledger.add([{"kind": "ledger", "format": FORMAT, "accounting": found.accounting, "delta": found.delta}])
    _check(ledger, found)
    if ledger.state.open:
        ledger.add([{"kind": VOID, "rows": len(ledger.state.open)}])
    return ledger


def rows_of(file: IO[bytes], path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a ledger whose last line is whole. Raises `UserError` where one is damaged."""
    file.seek(0)
    for number, line in enumerate(file.read().split(b"\n")[:-1], 1):
        yield _checked(line, f"{path}, line {number}")


def _checked(line: bytes, where: str) -> dict[str, Any]:
    """The row in a line. Raises `UserError` where it is none of a ledger's."""
    fix = "Restore the file from a copy: without it nobody knows what has been spent."
    try:
        row = json.loads(line)
        lacking = [name for name, kind in FIELDS[row["kind"]].items() if not isinstance(row[name], kind)]
        amounts = [each for name in ("granted", "spent") for each in row.get(name, {}).values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refuse(where, "a row of a ledger", f"damaged text ({words_of(error)})", fix) from error
    if lacking or not all(isinstance(each, int | float) and each >= 0 for each in amounts):
        raise refuse(where, "a row of a ledger", f"a damaged {row['kind']}", fix)
    found: dict[str, Any] = row
    return found


def conflicts(state: LedgerState, found: JobsFile, path: Path) -> Iterator[Fault]:
    """What a jobs file says otherwise of jobs that the ledger has granted."""
    for job in found.jobs:
        grant = state.grants.get(job.name)
        if grant is not None and dict(grant.epsilons) != dict(job.demand):
            fix = "A granted job cannot change: give the new one another name."
            yield Fault(
                f"jobs.{job.name}.demand",
                f"what {path} has granted, {epsilon_text(grant.epsilons)}",
                epsilon_text(job.demand),
                fix,
            )


def epsilon_text(epsilons: Mapping[str, float]) -> str:
    """Epsilons by block as text; more than three that are alike as one."""
    if len(epsilons) > 3 and len(set(epsilons.values())) == 1:
        return f"{next(iter(epsilons.values())):g} of each of {len(epsilons)} blocks"
    return ", ".join(f"{block} {epsilon:g}" for block, epsilon in epsilons.items()) or "nothing"


def grant_row(job: Job, *, time: float, utility: float, left: Mapping[str, float], directory: str) -> dict[str, object]:
    """The row of a grant. left: epsilon of each of its blocks after it."""
    about_it = {"kind": "grant", "time": time, "job": job.name, "analyst": job.analyst}
    return {**about_it, "granted": dict(job.demand), "left": dict(left), "utility": utility, "directory": directory}


def _check(ledger: Ledger, found: JobsFile) -> None:
    head, given = ledger.head, (found.accounting, found.delta)
    kept = head.get("accounting"), head.get("delta")
    if head.get("format") != FORMAT:
        fix = "Use the version of fedmed that wrote it."
        raise refuse(str(ledger.path), f"format {FORMAT}", head.get("format"), fix)
    if kept != given:
        expected = f"a ledger with accounting: {given[0]} and delta: {given[1]:g}"
        fix = "Set them as they were, or give --ledger another file."
        raise refuse(str(ledger.path), expected, f"one with {kept[0]} and {kept[1]}", fix)


def _lock(file: IO[bytes], path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        fix = "Wait until the other fedmed schedule has ended, or give --ledger another file."
        raise refuse(str(path), "a ledger that no other process uses", "one in use", fix) from error


def _cut_torn_line(file: IO[bytes]) -> None:
    """Drops what a killed process left of its last line."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
        os.fsync(file.fileno())
