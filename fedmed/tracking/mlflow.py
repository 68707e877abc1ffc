"""MLflow: https://mlflow.org. Its client is used without its global state: no run is active, so none is in the way."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedmed.errors import refuse
from fedmed.offline import go_offline
from fedmed.tracking.contract import End, Row, Subject, Tracker, TrackerGroup, Tracking, numbers, require

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""How long a server may take, unless the user says otherwise: by MLflow's own defaults a run would wait for minutes."""

SCHEMES = ("sqlite", "postgresql", "mysql", "mssql", "http", "https", "file", "databricks")
ENDS: Mapping[End, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
LABEL, COMPARISON, PARENT = "fedmed.run", "fedmed.comparison", "mlflow.parentRunId"
PARAMS, METRICS = 100, 1000
"""How many MLflow takes at once."""


@dataclass(frozen=True, kw_only=True)
class MlflowTracking(Tracking):
    """MLflow: parameters, metrics of every round, tags, config.yaml and final.json; runs of a comparison in one.

    uri: of the database or the server: sqlite:///<file>, http://<host>:<port>, or what else MLflow takes.
    experiment: under which name of MLflow's runs are listed.
    """

    uri: str = "sqlite:///mlruns.db"
    experiment: str = "fedmed"

    def check(self) -> None:
        require("mlflow", "mlflow")
        scheme, found, _ = self.uri.partition(":")
        if not found or scheme.partition("+")[0] not in SCHEMES:
            raise refuse("tracking.uri", f"<scheme>:..., of {', '.join(SCHEMES)}", self.uri, "Say sqlite:///<file>.")

    @property
    def place(self) -> str:
        return f"MLflow at {self.uri}"

    def open(self, subject: Subject) -> Tracker:
        return MlflowRun(self, subject)

    def gather(self) -> TrackerGroup | None:
        return MlflowParent(self) if self.group else None


class MlflowRun(Tracker):
    """A run of fedmed's as one of MLflow's; a run that goes on goes on there."""

    def __init__(self, tracking: MlflowTracking, subject: Subject) -> None:
        self._client, self._folder = connect(tracking.uri), subject.folder
        experiment = experiment_of(self._client, tracking)
        if subject.done and (known := find(self._client, experiment, LABEL, subject.label)):
            self._id = known
            self._client.update_run(known, status="RUNNING")
            self.last = max((m.step for m in self._client.get_metric_history(known, "seconds")), default=0)
            return
        tags = {**subject.tags, LABEL: subject.label, "mlflow.source.name": "fedmed"}
        if tracking.group:
            tags[PARENT] = parent_of(self._client, experiment, tracking.group)
        self._id = self._client.create_run(experiment, tags=tags, run_name=subject.name).info.run_id
        self._log_params(subject.params)
        self._client.log_artifact(self._id, str(self._folder / "config.yaml"))

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._log_metrics(numbers(row), row["round"])
            self.last = row["round"]

    def finish(self, final: Row) -> None:
        self._log_metrics({f"final.{name}": value for name, value in numbers(final).items()}, self.last)
        self._client.log_artifact(self._id, str(self._folder / "final.json"))

    def close(self, end: End) -> None:
        self._client.set_terminated(self._id, ENDS[end])

    def _log_params(self, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        for part in parts([Param(name, str(value)[:6000]) for name, value in params.items()], PARAMS):
            self._client.log_batch(self._id, params=part)

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        for part in parts([Metric(name, value, now, step) for name, value in values.items()], METRICS):
            self._client.log_batch(self._id, metrics=part)


class MlflowParent(TrackerGroup):
    """The run of MLflow's under which it lists the runs of a comparison."""

    def __init__(self, tracking: MlflowTracking) -> None:
        assert tracking.group
        self._client = connect(tracking.uri)
        self._id = parent_of(self._client, experiment_of(self._client, tracking), tracking.group)
        self._client.update_run(self._id, status="RUNNING")

    def close(self, end: End, files: Sequence[Path]) -> None:
        for file in files:
            self._client.log_artifact(self._id, str(file))
        self._client.set_terminated(self._id, ENDS[end])


def connect(uri: str) -> MlflowClient:
    """A client; MLflow's and its database's notes are left out, as they are no concern of the run's."""
    go_offline()
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def experiment_of(client: MlflowClient, tracking: MlflowTracking) -> str:
    """The experiment's id, made where there is none; another process may make it at the same moment."""
    from mlflow.exceptions import MlflowException

    if found := client.get_experiment_by_name(tracking.experiment):
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(tracking.experiment, artifact_location=artifacts(tracking.uri)))
    except MlflowException:
        if found := client.get_experiment_by_name(tracking.experiment):
            return str(found.experiment_id)
        raise


def artifacts(uri: str) -> str | None:
    """Where files go: beside a database of one's own, not where one calls from; else (None) where MLflow says."""
    path = uri.removeprefix("sqlite:///")
    return None if path == uri else str(Path(path).resolve().with_suffix(""))


def find(client: MlflowClient, experiment: str, tag: str, value: str) -> str | None:
    """The id of the run with a tag of that value."""
    quoted = value.replace("'", "")
    found = client.search_runs([experiment], f"tags.`{tag}` = '{quoted}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def parent_of(client: MlflowClient, experiment: str, group: str) -> str:
    """The id of the run that gathers a comparison's runs, made where there is none."""
    if found := find(client, experiment, COMPARISON, group):
        return found
    tags = {COMPARISON: group.replace("'", ""), "mlflow.source.name": "fedmed"}
    return str(client.create_run(experiment, tags=tags, run_name=group).info.run_id)


def parts(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    """The items in order, `size` at a time."""
    for first in range(0, len(items), size):
        yield list(items[first : first + size])
