"""A run's directory: its configuration, environment, rows, and final result, readable after a kill at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import IO, Any, Literal

from fedmed.errors import refuse
from fedmed.files import about, make_folder, sync_folder, without_links, write_atomically
from fedmed.metric_direction import HIGHER_IS_BETTER, Directions, direction_name
from fedmed.rundir.json_text import dumps, parse
from fedmed.rundir.schema import Status, check_numbers, check_row, check_run

FORMAT = 1
"""Version of the layout of a run directory."""

Kind = Literal["rounds", "clients", "audit", "faults"]
KINDS: tuple[Kind, ...] = ("rounds", "clients", "audit", "faults")


class RunDirectory:
    """One run on disk.

    `config.yaml` resolved configuration; `run.json` format, identity, time, status, marks; `environment.json`;
    `rounds.jsonl`, `clients.jsonl`, `audit.jsonl`, `faults.jsonl` one JSON object per row; `final.json`;
    `checkpoints/`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        config_yaml: str,
        identity: str,
        environment: Mapping[str, object],
        rounds: int | None = None,
        fingerprints: Mapping[str, str] | None = None,
        directions: Directions = HIGHER_IS_BETTER,
        fill: Callable[[], None] = lambda: None,
    ) -> RunDirectory:
        """A new run at `path`; raises UserError where a run is already there or the folder cannot be made.

        identity: hash of what makes this run this run; resuming compares it.
        rounds: how many are planned; None where nobody asks.
        fingerprints: what it must share with a run that it is compared with; None where nothing is known.
        directions: of its metrics, which those who read results need and cannot ask the user's code for.
        fill: writes what else a run has from its start. It is called before run.json is written, which comes last,
            so that what has a run.json is whole.
        """
        run = cls(path)
        taken = ["run.json", "final.json", *(f"{kind}.jsonl" for kind in KINDS)]
        if any((run.path / name).exists() for name in taken):
            fix = f"Continue it with {quote(f'resume={path}')}, or choose another folder with hydra.run.dir=."
            raise refuse("hydra.run.dir", "a folder without a run", f"{path}, which holds one", fix)
        try:
            make_folder(run.path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise refuse(
                "hydra.run.dir", "a folder that can be made", f"{path} ({reason})", "Choose another."
            ) from error
        write_atomically(run.path / "config.yaml", config_yaml)
        run._write("environment.json", environment)
        fill()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"format": FORMAT, "identity": identity, "created": created, "rounds": rounds, "status": "running"}
        better = {name: direction_name(higher) for name, higher in directions.items() if name not in HIGHER_IS_BETTER}
        run._write("run.json", record | {"marks": dict(fingerprints or {})} | ({"better": better} if better else {}))
        return run

    @classmethod
    def find(cls, path: Path) -> tuple[RunDirectory, bool]:
        """The run at `path`, and whether it has begun: not where it was killed while its directory was made.

        Raises UserError where there is none, or one of a later format.
        """
        run = cls(path)
        began = (run.path / "run.json").exists() or not (run.path / "config.yaml").is_file()
        return (cls.open(path), True) if began else (run, False)

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """The run at `path`; raises UserError where there is none, or one of a later format."""
        run = cls(path)
        if not (run.path / "run.json").is_file():
            raise refuse("resume", "a run directory (a folder with run.json)", path, "Check the path.")
        run._about()
        return run

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, for `fedmed.rundir.checkpoint`."""
        return self.path / "checkpoints"

    @property
    def identity(self) -> str:
        """The hash that `create` was given."""
        return str(self._about()["identity"])

    @property
    def fingerprints(self) -> dict[str, str]:
        """What `create` was given; empty where nothing is known, as of runs of earlier versions."""
        return {name: str(mark) for name, mark in self._about().get("marks", {}).items()}

    @property
    def planned(self) -> int | None:
        """How many rounds the run is to have, as `create` and `plan` were given it."""
        planned: int | None = self._about().get("rounds")
        return planned

    def plan(self, rounds: int, config_yaml: str) -> None:
        """Has the run go on to a later round than was planned: it is no longer finished, and has no result yet."""
        self._write("run.json", self._about() | {"status": "stopped"})
        (self.path / "final.json").unlink(missing_ok=True)
        write_atomically(self.path / "config.yaml", config_yaml)
        self._write("run.json", self._about() | {"rounds": rounds})

    @property
    def label(self) -> str:
        """A label that no other run has: when it was made, and its identity."""
        created = str(self._about()["created"])
        return f"{created[:19].replace(':', '-')}_{self.identity[:8]}"

    @property
    def status(self) -> Status:
        """Whether it is under way, has stopped by an error or an interruption, or is finished."""
        status: Status = self._about()["status"]
        return status

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """The run is `running` for the length of a block, and `stopped` where an exception ends it unfinished."""
        self._mark("running")
        try:
            yield
        except BaseException:
            with suppress(OSError):
                if self.status == "running":
                    self._mark("stopped")
            raise

    @property
    def config_yaml(self) -> str:
        """The resolved configuration, as `create` was given it."""
        return (self.path / "config.yaml").read_text(encoding="utf-8")

    def append(self, kind: Kind, rows: Iterable[Mapping[str, object]]) -> None:
        """Adds rows in one write; NaN and infinity become null, numpy numbers become numbers."""
        lines = "".join(dumps(row) + "\n" for row in rows)
        with about(self._rows(kind)), open(self._rows(kind), "a+b", opener=without_links) as file:
            _cut_torn_line(file)
            file.write(lines.encode())

    def rows(self, kind: Kind) -> list[dict[str, Any]]:
        """All rows so far; a last line cut short by a kill is left out."""
        path = self._rows(kind)
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [_row(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]

    def sync(self) -> None:
        """Waits until the rows are on the disk."""
        for path in filter(Path.exists, map(self._rows, KINDS)):
            with path.open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(self.path)

    def go_back(self, round: int) -> list[dict[str, Any]]:
        """Drops the rows of rounds later than `round`; the rows of rounds that are left.

        Raises UserError where rows of earlier rounds are missing.
        """
        for kind in KINDS:
            if self._rows(kind).exists():
                kept = [row for row in self.rows(kind) if row["round"] <= round]
                write_atomically(self._rows(kind), "".join(dumps(row) + "\n" for row in kept))
        rows = self.rows("rounds")
        if len(rows) != round:
            fix = "Restore the file, or start the run anew."
            raise refuse(str(self._rows("rounds")), f"rows of all {round} rounds of the checkpoint", len(rows), fix)
        return rows

    def finish(self, final: Mapping[str, object]) -> None:
        """Stores the final result and marks the run as finished."""
        self._write("final.json", final)
        self._mark("finished")

    def final(self) -> dict[str, Any] | None:
        """The final result; None while there is none."""
        if not (path := self.path / "final.json").exists():
            return None
        found = parse(path.read_bytes(), str(path))
        check_numbers(found, str(path))
        return found

    def _mark(self, status: Status) -> None:
        if (known := self._about())["status"] != status:
            self._write("run.json", known | {"status": status})

    def _rows(self, kind: Kind) -> Path:
        return self.path / f"{kind}.jsonl"

    def _write(self, name: str, value: Mapping[str, object]) -> None:
        write_atomically(self.path / name, dumps(value, indent=2) + "\n")

    def _about(self) -> dict[str, Any]:
        """The content of run.json; raises UserError where it is damaged, or of a later format."""
        path = self.path / "run.json"
        found = parse(path.read_bytes(), str(path))
        if found.get("format") != FORMAT:
            fix = "Use the version of fedmed that wrote it."
            raise refuse(str(path), f"format {FORMAT}", repr(found.get("format"))[:60], fix)
        check_run(found, str(path))
        return found


def _row(line: bytes, where: str) -> dict[str, Any]:
    found = parse(line, where)
    check_row(found, where)
    return found


def _cut_torn_line(file: IO[bytes]) -> None:
    """Drops what a killed process left of its last line, so that the next row starts on a line of its own."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    if file.read(1) in (b"", b"\n"):
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
