"""What a client's reply must be before the server adds it, whatever engine it ran on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from flwr.app import Message
from torch import Tensor

from fedmed.checks import MismatchError, check_alike, check_finite
from fedmed.client.validation import room
from fedmed.compression import Compression
from fedmed.flower.messages import (
    ARRAYS,
    METRICS,
    OUTPUTS,
    POOLED,
    REPORT,
    TrainReply,
    count_bytes,
    read_outputs,
    read_reply,
)
from fedmed.flower.nodes import ClientNode
from fedmed.flower.records import tensor_bytes
from fedmed.flower.rounds import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyValidator:
    """Checks the answers of one round. Every method raises `MismatchError` with what was expected and what came.

    shared: the shared weights. anchors: as they were sent, by client, where not all got these.
    methods: names of the chain's members.
    total: sum of the weights with which answers can count, so that no sum of what passes can overflow.
    seconds: that a client may take; None for any.
    forms: of the outputs to be scored together, as the first client sent them.
    """

    shared: Mapping[str, Tensor]
    methods: Collection[str]
    compression: Compression
    total: float
    seconds: float | None = None
    anchors: Mapping[int, Mapping[str, Tensor]] = field(default_factory=dict)
    forms: dict[str, Any] = field(default_factory=dict)

    def read(self, message: Message, client: int, member: ClientNode) -> TrainReply:
        """A client's answer to a training message, whose numbers are right; its tensors are yet to be checked."""
        self._sizes(message, {ARRAYS, METRICS, *(REPORT + name for name in self.methods)}, (ARRAYS, METRICS))
        try:
            reply = read_reply(message)
        except Exception as error:
            raise MismatchError("an answer that can be read", f"{type(error).__name__}: {error}") from error
        report = reply.report
        _same("the answer of client", client, report.client)
        _same("as many examples as the client has,", member.images, report.examples)
        if not isfinite(report.loss):
            raise MismatchError("a finite training loss", report.loss)
        if reply.images < 0 or not (isfinite(reply.seconds) and reply.seconds >= 0):
            raise MismatchError("counts and seconds of at least 0", f"{reply.images} images, {reply.seconds} seconds")
        self._in_time(reply.seconds)
        return reply

    def admit(self, reply: TrainReply) -> TrainReply:
        """The answer with its weights as they are to be averaged; `up` says how many bytes came."""
        up = count_bytes(reply.report.weights) + sum(map(count_bytes, reply.payloads.values()))
        anchor = self.anchors.get(reply.report.client, self.shared)
        try:
            weights = self.compression.restore(reply.report.weights, anchor)
        except Exception as error:
            raise MismatchError("weights compressed as the run says", f"{type(error).__name__}: {error}") from error
        check_alike(weights, self.shared, "weights")
        check_finite(weights, "weights", times=self.total, was=anchor)
        for name, payload in reply.payloads.items():
            check_finite(payload, f"tensors in the report of {name}", times=self.total)
        return replace(reply, up=up, report=replace(reply.report, weights=weights))

    def evaluation(self, message: Message, client: int) -> tuple[Row, dict[str, dict[str, Tensor]]]:
        """A client's answer to an evaluation message, as a row, and the outputs to be scored with those of others.

        Values that are NaN are undefined, not wrong.
        """
        self._sizes(message, {METRICS, *(OUTPUTS + name for name in POOLED)}, (METRICS,))
        try:
            metrics, outputs = {n: float(value) for n, value in _numbers(message).items()}, read_outputs(message)
            claimed, examples = int(metrics.pop("partition-id")), int(metrics.pop("num-examples"))
        except Exception as error:
            raise MismatchError("partition-id, num-examples and metrics", f"{type(error).__name__}: {error}") from error
        _same("the answer of client", client, claimed)
        if counts := [n for n, value in metrics.items() if n.endswith("num-examples") and not value >= 0]:
            raise MismatchError(f"{counts[0]} of at least 0", metrics[counts[0]])
        for name, packed in outputs.items():
            form = {part: tuple(tensor.shape[1:]) for part, tensor in packed.items()}
            if form != self.forms.setdefault(name, form):
                raise MismatchError(f"outputs of {name} shaped as {self.forms[name]}", form)
        return {"client": client, "examples": examples, **metrics}, outputs

    def _sizes(self, message: Message, known: Collection[str], needed: Collection[str]) -> None:
        """Whether the records have the names that they must, and are not too large."""
        if strange := sorted(message.content.keys() - set(known)):
            raise MismatchError(f"records named {', '.join(sorted(known))}", strange[0])
        if missing := [name for name in needed if name not in message.content]:
            raise MismatchError(f"a record named {missing[0]}", "none")
        most = room(self.shared) + 4 * count_bytes(self.shared)
        if (sent := _bytes(message)) > most:
            raise MismatchError(f"an answer of at most {most / 1e6:.0f} MB", f"{sent / 1e6:.0f} MB")

    def _in_time(self, seconds: float) -> None:
        if self.seconds is not None and seconds > self.seconds:
            raise MismatchError(f"an answer within client_timeout={self.seconds:g} s", f"one after {seconds:.3g} s")


def _numbers(message: Message) -> Mapping[str, Any]:
    metrics: Any = message.content[METRICS]
    return metrics  # type: ignore[no-any-return]


def _bytes(message: Message) -> int:
    try:
        return tensor_bytes(message.content)
    except Exception as error:
        raise MismatchError("arrays that can be read", f"{type(error).__name__}: {error}") from error


def _same(what: str, expected: int, got: int) -> None:
    if expected != got:
        raise MismatchError(f"{what} {expected}", got)
