"""Clients at fault: a method that misbehaves at one client in one round, and answers that are tampered with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from torch import nn

from fedmed.flower.records import pack, unpack
from fedmed.method import Batch, Client, Method, Payload
from fedmed.server import Failures

CLIENT, ROUND = 3, 2
"""Where it happens."""


class OutageError(Exception):
    pass


def raises(client: Client) -> None:
    raise OutageError("lost")


def weights(value: float) -> Callable[[Client], None]:
    def fill(client: Client) -> None:
        with torch.no_grad():
            next(client.model.parameters()).view(-1)[0] = value

    return fill


def reshaped(client: Client) -> None:
    client.model.head.weight.data = torch.zeros(1, 1)


def another_head(client: Client) -> None:
    client.model.head = nn.Linear(64, 9)


def one_more_part(client: Client) -> None:
    client.model.add_module("surplus", nn.Linear(2, 2))


def no_head_bias(client: Client) -> None:
    client.model.head.bias = None  # type: ignore[assignment]


def another_dtype(client: Client) -> None:
    client.model.head.bias.data = client.model.head.bias.data.double()


def keeps(value: Any) -> Callable[[Client], None]:
    def keep(client: Client) -> None:
        client.state["x"] = value

    return keep


def changes_memory_and_raises(client: Client) -> None:
    client.state["seen"].add_(100)
    raise OutageError("after a change in place")


def threads(client: Client) -> None:
    torch.set_num_threads(torch.get_num_threads() + 1)


def double(client: Client) -> None:
    torch.set_default_dtype(torch.float64)


def sleeps(client: Client) -> None:
    time.sleep(60)


def exits(client: Client) -> None:
    os._exit(3)


DURING: dict[str, tuple[Callable[[Client], Any], str]] = {
    "raises": (raises, "OutageError: lost"),
    "nan weights": (weights(torch.nan), "nan in"),
    "inf weights": (weights(torch.inf), "inf in"),
    "-inf weights": (weights(-torch.inf), "-inf in"),
    "1e38 weights": (weights(1e38), "weights that can be added up, got 1e+38 in"),
    "wrong shape": (reshaped, "head.weight of shape (1, 1)"),
    "wrong dtype": (another_dtype, "head.bias of shape (3,) float64"),
    "another head": (another_head, "another part"),
    "one more part": (one_more_part, "another part or tensor as features, head, surplus"),
    "a tensor less": (no_head_bias, "another part or tensor as bias, weight"),
    "object in the state": (keeps(object()), "faulty, client.state['x']: expected"),
    "None in the state": (keeps(None), "client.state['x']"),
    "array in the state": (keeps({"deep": torch.ones(2).numpy()}), "client.state['x']['deep']"),
    "memory changed": (changes_memory_and_raises, "after a change in place"),
    "threads": (threads, "torch.set_num_threads"),
    "default dtype": (double, "torch.set_default_dtype"),
}
"""What a client does after training, and what the row about it says."""

REPORTS: dict[str, tuple[Any, str]] = {
    "nan payload": ({"p": torch.tensor([1.0, torch.nan])}, "nan in p"),
    "inf payload": ({"p": torch.tensor(torch.inf)}, "inf in p"),
    "1e38 payload": ({"p": torch.tensor(1e38)}, "1e+38 in p"),
    "payload is a number": (3, "int 3"),
    "payload is a tensor": (torch.ones(2), "Tensor"),
    "payload is None": (None, "NoneType"),
    "payload holds numbers": ({"p": 1.0}, "float 1.0 under 'p'"),
    "payload with a number as name": ({1: torch.ones(1)}, "under 1"),
    "a gigabyte": ({"p": torch.zeros(1, dtype=torch.uint8).expand(1 << 30)}, "1074 MB"),
}
"""What a client reports, and what the row about it says."""

HOOKS: dict[str, tuple[str, Any, str]] = {
    "prepare raises": ("prepare", OutageError("lost"), "OutageError: lost"),
    "penalty raises": ("penalty", OutageError("lost"), "OutageError: lost"),
    "correct raises": ("correct", OutageError("lost"), "OutageError: lost"),
    "nan penalty": ("penalty", float("nan"), "a finite training loss, got nan"),
    "inf penalty": ("penalty", float("inf"), "a finite training loss, got inf"),
    "penalty is None": ("penalty", None, "penalty"),
    "penalty is text": ("penalty", "1", "penalty"),
    "penalty is a vector": ("penalty", torch.ones(4), "faulty.penalty: expected a scalar, got a tensor of shape (4,)"),
    "loss without a gradient": ("loss", torch.tensor(1.0), "faulty.loss: expected a tensor with a gradient, got one"),
    "loss is a number": ("loss", 1.0, "faulty.loss: expected a tensor with a gradient, got float"),
}
"""What a hook returns or raises during training, and what the row about it says."""


@dataclass(frozen=True, kw_only=True)
class Faulty(Method):
    """Remembers how often it trained, and is at fault at one client in one round."""

    kind: str = ""
    always: bool = False
    extra: ClassVar[dict[str, Callable[[Client], Any]]] = {"hangs": sleeps, "exits": exits}

    def _here(self, client: Client) -> bool:
        return client.id == CLIENT and (client.round == ROUND or self.always)

    def _hook(self, client: Client, hook: str) -> Any:
        name, value, _ = HOOKS.get(self.kind, ("", 0.0, ""))
        if name != hook or not self._here(client):
            return 0.0
        if isinstance(value, Exception):
            raise value
        return value

    def prepare(self, client: Client) -> None:
        self._hook(client, "prepare")

    def loss(self, client: Client, batch: Batch) -> Any:
        return self._hook(client, "loss") or super().loss(client, batch)

    def penalty(self, client: Client, batch: Batch) -> Any:
        return self._hook(client, "penalty")

    def correct(self, client: Client) -> None:
        self._hook(client, "correct")

    def report(self, client: Client) -> Payload:
        client.state.setdefault("seen", torch.zeros(1)).add_(1)
        if self._here(client):
            if self.kind in DURING:
                DURING[self.kind][0](client)
            if self.kind in self.extra:
                self.extra[self.kind](client)
            if self.kind in REPORTS:
                return REPORTS[self.kind][0]  # type: ignore[no-any-return]
        return {"p": torch.ones(2)}


MESSAGES = {name: printed for table in (DURING, REPORTS) for name, (_, printed) in table.items()} | {
    name: printed for name, (_, _, printed) in HOOKS.items()
}
"""Every kind of fault of a method, and what the row about it says."""


@dataclass(frozen=True, kw_only=True)
class Away(Failures):
    """The client is away in the round in which it would be at fault."""

    always: bool = False

    def lost(self, selected: Sequence[int], *, seed: int, round: int) -> list[int]:
        return [CLIENT] if round == ROUND or self.always else []


def _arrays(change: Callable[[dict[str, Any]], Any], name: str = "arrays") -> Callable[[RecordDict], None]:
    def tamper(content: RecordDict) -> None:
        tensors = {n: t.clone() for n, t in unpack(content.array_records[name]).items()}
        change(tensors)
        content[name] = pack(tensors)

    return tamper


def _metrics(**values: Any) -> Callable[[RecordDict], None]:
    def tamper(content: RecordDict) -> None:
        metrics = dict(content.metric_records["metrics"])
        for name, value in values.items():
            metrics[name.replace("_", "-")] = value
        content["metrics"] = MetricRecord({n: v for n, v in metrics.items() if v is not None})  # type: ignore[misc]

    return tamper


def _put(name: str, record: Any) -> Callable[[RecordDict], None]:
    return lambda content: content.__setitem__(name, record)


def _value(name: str, value: float) -> Callable[[RecordDict], None]:
    return _arrays(lambda t: t[name].view(-1).__setitem__(0, value))


TRAINING: dict[str, tuple[Callable[[RecordDict], None], str]] = {
    "another client's number": (_metrics(partition_id=1), "the answer of client 3, got 1"),
    "no client's number": (_metrics(partition_id=None), "partition-id"),
    "no arrays": (lambda c: c.pop("arrays"), "a record named arrays, got none"),
    "no metrics": (lambda c: c.pop("metrics"), "a record named metrics, got none"),
    "arrays of another kind": (_put("arrays", MetricRecord({"a": 1.0})), "an answer that can be read"),
    "metrics of another kind": (_put("metrics", ArrayRecord()), "an answer that can be read"),
    "a tensor less": (_arrays(lambda t: t.pop("head.bias")), "none named head.bias"),
    "no tensor at all": (_put("arrays", ArrayRecord()), "none named"),
    "a tensor more": (_arrays(lambda t: t.update(more=torch.ones(1))), "also more"),
    "wrong shape": (_arrays(lambda t: t.update({"head.bias": torch.ones(7)})), "(3,) float32, got (7,) float32"),
    "broadcast shape": (_arrays(lambda t: t.update({"head.bias": torch.ones(1)})), "got (1,) float32"),
    "double": (_arrays(lambda t: t.update({"head.bias": t["head.bias"].double()})), "got (3,) float64"),
    "counter as float": (
        _arrays(lambda t: t.update({"features.norm.num_batches_tracked": torch.tensor(1.0)})),
        "got () float32",
    ),
    "nan": (_value("head.bias", torch.nan), "nan in head.bias"),
    "inf": (_value("head.weight", torch.inf), "inf in head.weight"),
    "1e38": (_value("features.norm.running_var", 1e38), "1e+38 in features.norm.running_var"),
    "no examples": (_metrics(num_examples=0), "12, got 0"),
    "negative examples": (_metrics(num_examples=-5), "12, got -5"),
    "many examples": (_metrics(num_examples=10**12), "12, got 1000000000000"),
    "nan loss": (_metrics(loss=float("nan")), "a finite training loss, got nan"),
    "inf loss": (_metrics(loss=float("inf")), "a finite training loss, got inf"),
    "no loss": (_metrics(loss=None), "loss"),
    "negative seconds": (_metrics(seconds=-1.0), "at least 0"),
    "nan seconds": (_metrics(seconds=float("nan")), "at least 0"),
    "negative images": (_metrics(num_images=-1), "at least 0"),
    "a stranger's report": (_put("report.stranger", pack({"p": torch.ones(1)})), "report.stranger"),
    "a record more": (_put("junk", pack({"p": torch.ones(1)})), "junk"),
    "nan report": (_put("report.faulty", pack({"p": torch.tensor(torch.nan)})), "nan in p"),
    "a gigabyte": (
        _put("report.faulty", pack({"p": torch.zeros(1, dtype=torch.uint8).expand(1 << 30)})),
        "got 1074 MB",
    ),
}
"""What comes of an answer to a training message on its way, and what the row about it says."""

EVALUATION: dict[str, tuple[Callable[[RecordDict], None], str]] = {
    "another client's number": (_metrics(partition_id=1), "the answer of client 3, got 1"),
    "no metrics": (lambda c: c.pop("metrics"), "a record named metrics, got none"),
    "no examples": (_metrics(num_examples=None), "num-examples"),
    "negative examples": (lambda c: c["metrics"].__setitem__("test.num-examples", -3), "at least 0, got -3"),
    "a gigabyte": (_put("outputs.val", pack({"p": torch.zeros(1, dtype=torch.uint8).expand(1 << 30)})), "1074 MB"),
    "a record more": (_put("junk", pack({"p": torch.ones(1)})), "junk"),
}
"""The same of an answer to an evaluation message."""


class Tampered:
    """An app whose answers to messages of one kind are tampered with at one client in one round."""

    def __init__(self, app: Any, kind: str, tamper: Callable[[RecordDict], None]) -> None:
        self._app, self._kind, self._tamper = app, kind, tamper

    def __call__(self, message: Message, context: Any) -> Message:
        reply: Message = self._app(message, context)
        about = message.metadata
        if (about.dst_node_id, about.message_type, about.group_id) == (CLIENT + 1, self._kind, str(ROUND)):
            content = RecordDict(dict(reply.content.items()))
            self._tamper(content)
            reply.content = content
        return reply
