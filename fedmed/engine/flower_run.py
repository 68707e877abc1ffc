"""A run at a SuperLink, by Flower's own commands: handed over, found to have begun, its log shown until it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedmed.errors import refuse

LOOK, BEGINS_WITHIN = 2.0, 60.0
"""Seconds between two looks at a run that has not begun, and that it may take to, once no other is under way."""


LOOPBACK = "fedmed-loopback"
"""Name of the SuperLink that `fedmed deploy` starts on this machine, and ends with itself."""


@dataclass(frozen=True, slots=True)
class FlowerRun:
    """A run that a SuperLink has accepted. id: its number there. connection: the SuperLink's name here."""

    id: str
    connection: str

    @classmethod
    def submit(cls, bundle: Path, connection: str) -> FlowerRun:
        """Hands over the bundle; raises `UserError` with what Flower says where the SuperLink does not take it."""
        answer = _ask("run", str(bundle), connection)
        if not answer.get("run-id"):
            fix = "Is it running, and does its section in Flower's config.toml name its address and root-certificates?"
            where = f"SuperLink {connection}"
            raise refuse(where, "one that takes the run", _reason(answer), fix)
        return cls(str(answer["run-id"]), connection)

    def follow(self) -> None:
        """Shows the run's log on standard error until it ends.

        Raises `UserError` where the SuperLink does not begin with it though it has nothing else to do, and
        `KeyboardInterrupt` with what to do next where the watching is interrupted and the run goes on.
        """
        try:
            self._show_log()
        except KeyboardInterrupt:
            if self.connection == LOOPBACK:
                raise
            stop = f"flwr stop {self.id} {self.connection}"
            raise KeyboardInterrupt(f"The run goes on at the SuperLink; this ends it: {stop}") from None

    def _show_log(self) -> None:
        log = subprocess.Popen(_command("log", self.id, self.connection, "--stream"), stdout=sys.stderr)
        try:
            self._await_begin(log)
            log.wait()
        finally:
            log.terminate()
            log.wait()

    def _await_begin(self, log: subprocess.Popen[bytes]) -> None:
        idle_since = time.monotonic()
        while log.poll() is None:
            statuses = _statuses(_ask("list", self.connection))
            if statuses.get(self.id, "pending") != "pending":
                return
            if "running" in statuses.values() or "starting" in statuses.values():
                idle_since = time.monotonic()
            if time.monotonic() - idle_since > BEGINS_WITHIN:
                self._give_up()
            time.sleep(LOOK)

    def _give_up(self) -> None:
        _ask("stop", self.id, self.connection)
        fix = (
            "The part of it that executes runs has died, and its log says why. Most often its certificate lacks the "
            "addresses localhost and 127.0.0.1, by which that part calls it (see docs/deployment.md)."
        )
        got = f"run {self.id} pending for {BEGINS_WITHIN:.0f} seconds, now withdrawn"
        raise refuse(f"SuperLink {self.connection}", "one that begins with the run", got, fix)


def loopback_home() -> Path | None:
    """The FLWR_HOME of the loopback SuperLink that runs around this process, which is removed with it; else None."""
    folder = Path(os.environ.get("FLWR_HOME", ""))
    file = folder / "config.toml"
    return folder if file.is_file() and f"[superlink.{LOOPBACK}]" in file.read_text(encoding="utf-8") else None


def program(name: str) -> str:
    """The path of one of Flower's programs, of this Python's installation where it is there."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise refuse("engine", f"Flower's program {name}", "none on the path", "Install fedmed again.")
    return found


def _command(*words: str) -> list[str]:
    return [program("flwr"), *words]


def _ask(*words: str) -> dict[str, Any]:
    """What one of Flower's commands answers; its last words as `error-message` where it answers no JSON."""
    command = _command(*words, "--format", "json")
    ended = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace")
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return {"error-message": " ".join((ended.stdout + ended.stderr).split())[-500:]}
    return answer


def _statuses(answer: dict[str, Any]) -> dict[str, str]:
    """`pending`, `starting`, `running` or `finished:...` of every run."""
    runs: Sequence[dict[str, Any]] = answer.get("runs", ())
    return {str(run["run-id"]): str(run["status"]) for run in runs}


def _reason(answer: dict[str, Any]) -> str:
    return str(answer.get("error-message") or answer.get("error") or "no answer").strip()
