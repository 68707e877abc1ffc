"""Worker processes that answer, die, hang and are ended; with nothing of fedmed's that they would work on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from fedmed.workers import Death, Supervisor, Worker, WorkerProcess
from fedmed.workers.child import received, send

METHODS = [method for method in ("fork", "spawn", "forkserver") if method in multiprocessing.get_all_start_methods()]


def echo(connection: Connection, prefix: str) -> None:
    for message in received(connection):
        if message == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if message == "exit":
            os._exit(7)
        if message == "sleep":
            time.sleep(60)
        send(connection, prefix + message)


def start(method: str = METHODS[0]) -> WorkerProcess:
    return WorkerProcess(multiprocessing.get_context(method), echo, "heard ", daemon=True)


@pytest.fixture
def supervisor() -> Iterator[Supervisor[Worker[str]]]:
    found = Supervisor[Worker[str]]()
    yield found
    found.stop()
    assert multiprocessing.active_children() == []


def given_tasks(supervisor: Supervisor[Worker[str]], *messages: str) -> list[Worker[str]]:
    """A worker for each message, which it is given as a task of that name."""
    for message in messages:
        supervisor.workers.append(Worker(start()))
        supervisor.workers[-1].give(message, message)
    return supervisor.workers


def messages_of(supervisor: Supervisor[Worker[str]], count: int) -> list[tuple[Worker[str], Any]]:
    found: list[tuple[Worker[str], Any]] = []
    while len(found) < count:
        found += supervisor.receive(10)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_answers_one_task_after_another_until_it_is_dismissed(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedmed.workers.process.ENDS_WITHIN", 60.0)  # an interpreter may take its time to end
    process = start(method)
    for text in ("one", "two"):
        process.send(text)
        assert process.receive() == f"heard {text}"
    process.dismiss(now=False)
    process.leave()
    assert process.process.exitcode == 0


def test_what_workers_say_comes_with_the_worker_that_says_it(supervisor: Supervisor[Worker[str]]) -> None:
    one, two = given_tasks(supervisor, "a", "b")
    assert dict(messages_of(supervisor, 2)) == {one: "heard a", two: "heard b"}
    one.finish("a")
    assert supervisor.busy == [two]


@pytest.mark.parametrize(("message", "how"), [("die", "killed by SIGKILL"), ("exit", "gone with exit code 7")])
def test_a_death_is_told_once_with_how_and_how_often(
    message: str, how: str, supervisor: Supervisor[Worker[str]]
) -> None:
    for deaths in (1, 2):
        (worker,) = given_tasks(supervisor, message)
        assert messages_of(supervisor, 1) == [(worker, Death(how, [message], deaths))]
        assert supervisor.busy == []
        supervisor.workers.remove(worker)


def test_the_other_workers_of_a_dead_one_are_heard(supervisor: Supervisor[Worker[str]]) -> None:
    """Also where they were forked after it: none of them may hold a copy of its end of the connection."""
    dies, _, lives = given_tasks(supervisor, "die", "sleep", "c")
    assert dict(messages_of(supervisor, 2)) == {dies: Death("killed by SIGKILL", ["die"], 1), lives: "heard c"}


def test_a_worker_that_died_idle_is_noticed_at_its_next_task(supervisor: Supervisor[Worker[str]]) -> None:
    supervisor.workers.append(worker := Worker(start()))
    worker.process.kill()
    worker.process.process.join()
    worker.give("late", "late")
    assert messages_of(supervisor, 1) == [(worker, Death("killed by SIGKILL", ["late"], 1))]
    supervisor.workers.remove(worker)


def test_time_runs_from_the_first_task_and_anew_from_the_next(supervisor: Supervisor[Worker[str]]) -> None:
    (worker,) = given_tasks(supervisor, "sleep")
    time.sleep(0.05)
    worker.give("second", "second")
    assert worker.seconds >= 0.05
    worker.finish("sleep")
    assert worker.seconds < 0.05


def test_nothing_is_heard_of_a_worker_that_says_nothing(supervisor: Supervisor[Worker[str]]) -> None:
    given_tasks(supervisor, "sleep")
    assert supervisor.receive(0.01) == []


def test_all_are_ended_at_once_in_the_middle_of_their_tasks(supervisor: Supervisor[Worker[str]]) -> None:
    workers = list(given_tasks(supervisor, *["sleep"] * 4))
    supervisor.workers.append(idle := Worker(start()))
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3
    assert [worker.process.process.is_alive() for worker in (*workers, idle)] == [False] * 5


ORPHANED = """
import multiprocessing, os, sys
from fedmed.workers import WorkerProcess
from tests.workers.test_supervisor import echo

workers = [WorkerProcess(multiprocessing.get_context("fork"), echo, "", daemon=True) for _ in range(2)]
for worker in workers:
    worker.send("sleep")
print(*[worker.process.pid for worker in workers], flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_parent_that_is_killed() -> None:

    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", ORPHANED], cwd=root, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while any(_lives(int(pid)) for pid in ended.stdout.split()):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.02)


def _lives(pid: int) -> bool:

    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")
