"""The messages of a round: what the server asks, what a client answers.

Names follow Flower's own strategies ("arrays", "config", "metrics", "num-examples", "server-round"), so that a fedmed
client also answers an unmodified Flower FedAvg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict

from fedmed.client import ClientRequest, ClientResult
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Payload, Report
from fedmed.metrics import Scores

ARRAYS, CONFIG, METRICS, INBOX, REPORT, OUTPUTS = "arrays", "config", "metrics", "inbox.", "report.", "outputs."

POOLED = ("val", "audit")
"""Images whose outputs go to the server where it asks for them: validation, by the labels as given and as they are."""


@dataclass(frozen=True, slots=True)
class TrainReply:
    """One client's answer to a training message, read; its tensors are those of the message, which may be lent.

    up: bytes of its tensors as they came.
    """

    report: Report
    payloads: Mapping[str, Payload]
    extra: Mapping[str, float]
    images: int
    seconds: float
    up: int = 0


def ask(arrays: ArrayRecord, inbox: Mapping[str, ArrayRecord], config: Mapping[str, Any]) -> RecordDict:
    """The content of a message to clients: shared weights, each member's inbox, and numbers about the round."""
    content = RecordDict()
    content[ARRAYS], content[CONFIG] = arrays, ConfigRecord(dict(config))
    for member, record in inbox.items():
        content[INBOX + member] = record
    return content


def read_request(message: Message, context: Context) -> ClientRequest:
    """The request that a message asks of the client whose context this is."""
    content = message.content
    config: Any = content.get(CONFIG, {})
    round = int(config.get("server-round", 1))
    return ClientRequest(
        client=client_id(context),
        round=round,
        rounds=int(config.get("num-rounds", round)),
        shared=unpack(_arrays(content)),
        inbox=_by_member(content, INBOX),
        state=load_memory(context.state),
        adapted=bool(config.get("adapted", False)),
        pooled=bool(config.get("pooled", False)),
    )


def client_id(context: Context) -> int:
    """The client's number: the partition that Flower gave its node."""
    return int(context.node_config["partition-id"])


def answer(client: int, result: ClientResult, arrays: ArrayRecord, seconds: float) -> RecordDict:
    """What a client sends after training. arrays: the result's weights, packed."""
    metrics: dict[str, Any] = {
        "num-examples": result.examples,
        "num-images": result.images,
        "loss": result.loss,
        "partition-id": client,
        "seconds": seconds,
    }
    metrics.update(flat("adapted", result.adapted))
    metrics.update({f"inner.{name}": value for name, value in result.audit.items()})
    content = RecordDict()
    content[ARRAYS], content[METRICS] = arrays, MetricRecord(metrics)
    for member, payload in result.payloads.items():
        if payload:
            content[REPORT + member] = pack(payload)
    return content


def read_reply(message: Message) -> TrainReply:
    """One client's answer to a training message."""
    content = message.content
    metrics: Any = content[METRICS]
    payloads = _by_member(content, REPORT)
    report = Report(
        client=int(metrics["partition-id"]),
        examples=int(metrics["num-examples"]),
        loss=float(metrics["loss"]),
        payload={},
        weights=unpack(_arrays(content)),
    )
    extra = {name: float(value) for name, value in metrics.items() if name.startswith(("adapted.", "inner."))}
    return TrainReply(report, payloads, extra, int(metrics["num-images"]), float(metrics["seconds"]))


def read_outputs(message: Message) -> dict[str, dict[str, Any]]:
    """What a client's tallies were given, by `POOLED`."""
    return _by_member(message.content, OUTPUTS)


def flat(prefix: str, scores: Scores | None) -> dict[str, float]:
    """Scores as one level of names, `<prefix>.<metric>`; metrics that are undefined are left out.

    A mean that does not rest on everything says so, `<prefix>.<metric>.defined` and `.of`; of what was found, always.
    """
    return {f"{prefix}.{name}": value for name, value in scores.flat().items()} if scores else {}


def count_bytes(tensors: Payload) -> int:
    """Bytes of the tensors' values, as they would cross the wire uncompressed."""
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _by_member(content: RecordDict, prefix: str) -> dict[str, dict[str, Any]]:
    names = [name for name in content if name.startswith(prefix)]
    return {name.removeprefix(prefix): unpack(_arrays(content, name)) for name in names}


def _arrays(content: RecordDict, name: str = ARRAYS) -> ArrayRecord:
    record: Any = content[name]
    return record  # type: ignore[no-any-return]
