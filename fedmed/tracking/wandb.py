"""Weights & Biases: https://wandb.ai. Offline unless asked otherwise: files in the run's directory, sent by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any, Literal

from fedmed.offline import go_offline
from fedmed.tracking.contract import End, Row, Subject, Tracker, Tracking, grouped, numbers, require


@dataclass(frozen=True, kw_only=True)
class WandbTracking(Tracking):
    """Weights & Biases: configuration, metrics of every round, tags, config.yaml and final.json; offline by default.

    project: under which name runs are listed.
    mode: offline (kept in the run's directory until `wandb sync` sends it) or online (sent as it comes).
    """

    project: str = "fedmed"
    mode: Literal["offline", "online"] = "offline"

    def check(self) -> None:
        require("wandb", "wandb")

    @property
    def place(self) -> str:
        return "Weights & Biases"

    def open(self, subject: Subject) -> Tracker:
        return WandbRun(self, subject)


class WandbRun(Tracker):
    """A run of fedmed's as one of Weights & Biases'; a run that goes on has the same id there.

    Offline nothing can be asked of an earlier session, so that what fedmed has sent before counts as known.
    """

    def __init__(self, tracking: WandbTracking, subject: Subject) -> None:
        go_offline()
        import wandb

        self._folder, self.last = subject.folder, subject.sent
        self._run: Any = wandb.init(
            project=tracking.project,
            mode=tracking.mode,
            dir=str(subject.folder),
            id=subject.label,
            resume="allow" if tracking.mode == "online" else None,
            name=subject.name,
            group=tracking.group,
            config=dict(subject.params),
            tags=[f"{name}={value}"[:64] for name, value in subject.tags.items()],
            reinit="create_new",
            settings=wandb.Settings(
                console="off", silent=True, disable_git=True, disable_code=True, x_disable_stats=True
            ),
        )

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._run.log({grouped(name): value for name, value in numbers(row).items()}, step=row["round"])
            self.last = row["round"]

    def finish(self, final: Row) -> None:
        self._run.summary.update({f"final/{name}": value for name, value in numbers(final).items()})
        beside = Path(self._run.dir) / "fedmed"  # its own config.yaml has the place above
        beside.mkdir(exist_ok=True)
        for name in ("config.yaml", "final.json"):
            copyfile(self._folder / name, beside / name)
            self._run.save(str(beside / name), base_path=self._run.dir, policy="now")

    def close(self, end: End) -> None:
        self._run.finish(exit_code=0 if end == "finished" else 1)
