"""The messages of a round: what the server asks, what a client answers.

Names follow Flower's own strategies ("arrays", "config", "metrics", "num-examples", "server-round"), so that a fedmed
client also answers an unmodified Flower FedAvg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from fedmed.client import Job, Outcome
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Payload, Report
from fedmed.metrics import Scores

ARRAYS, CONFIG, METRICS, INBOX, REPORT = "arrays", "config", "metrics", "inbox.", "report."


@dataclass(frozen=True, slots=True)
class Reply:
    """One client's answer to a training message, read."""

    report: Report
    payloads: Mapping[str, Payload]
    adapted: Mapping[str, float]
    seconds: float


def ask(arrays: ArrayRecord, inbox: Mapping[str, ArrayRecord], config: Mapping[str, Any]) -> RecordDict:
    """The content of a message to clients: shared weights, each member's inbox, and numbers about the round."""
    content = RecordDict({ARRAYS: arrays, CONFIG: ConfigRecord(dict(config))})
    for member, record in inbox.items():
        content[INBOX + member] = record
    return content


def read_job(message: Message, context: Context) -> Job:
    """The job that a message asks of the client whose context this is."""
    content, config = message.content, message.content.config_records.get(CONFIG, ConfigRecord())
    round = int(config.get("server-round", 1))  # type: ignore[arg-type]
    return Job(
        client=client_id(context),
        round=round,
        rounds=int(config.get("num-rounds", round)),  # type: ignore[arg-type]
        shared=unpack(content.array_records[ARRAYS]),
        inbox=_by_member(content, INBOX),
        state=load_memory(context.state),
        adapted=bool(config.get("adapted", False)),
    )


def client_id(context: Context) -> int:
    """The client's number: the partition that Flower gave its node."""
    return int(context.node_config["partition-id"])


def answer(client: int, outcome: Outcome, seconds: float) -> RecordDict:
    """What a client sends after training; refers to the resident net's tensors."""
    metrics: dict[str, Any] = {
        "num-examples": outcome.examples,
        "loss": outcome.loss,
        "partition-id": client,
        "seconds": seconds,
    }
    metrics.update(flat("adapted", outcome.adapted))
    content = RecordDict({ARRAYS: pack(outcome.weights), METRICS: MetricRecord(metrics)})
    for member, payload in outcome.payloads.items():
        if payload:
            content[REPORT + member] = pack(payload)
    return content


def read_reply(message: Message) -> Reply:
    """One client's answer to a training message."""
    content, metrics = message.content, message.content.metric_records[METRICS]
    payloads = _by_member(content, REPORT)
    report = Report(
        client=int(metrics["partition-id"]),  # type: ignore[arg-type]
        examples=int(metrics["num-examples"]),  # type: ignore[arg-type]
        loss=float(metrics["loss"]),  # type: ignore[arg-type]
        payload={},
        weights=unpack(content.array_records[ARRAYS]),
    )
    adapted = {name: float(v) for name, v in metrics.items() if name.startswith("adapted.")}  # type: ignore[arg-type]
    return Reply(report, payloads, adapted, float(metrics["seconds"]))  # type: ignore[arg-type]


def flat(prefix: str, scores: Scores | None) -> dict[str, float]:
    """Scores as one level of names, `<prefix>.<metric>`; metrics that are undefined are left out."""
    return {f"{prefix}.{name}": value for name, value in scores.values.items()} if scores else {}


def count_bytes(tensors: Payload) -> int:
    """Bytes of the tensors' values, as they would cross the wire uncompressed."""
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _by_member(content: RecordDict, prefix: str) -> dict[str, dict[str, Any]]:
    records = content.array_records.items()
    return {name.removeprefix(prefix): unpack(record) for name, record in records if name.startswith(prefix)}
