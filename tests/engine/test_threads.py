"""Threads; every strategy runs on them in tests/conformance/test_engines.py."""

import threading
from dataclasses import dataclass, replace

import pytest
import torch
from flwr.app import ConfigRecord, Message, RecordDict
from torch import nn

from fedmed.engine.local import InProcessGrid
from fedmed.engine.threads import ThreadsEngine
from fedmed.errors import UserError
from fedmed.flower import ClientFailure
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Client, Method, Payload
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, Net, grid_of, initial, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Counts(Method):
    """Remembers the rounds it took part in; fails at client 2."""

    def report(self, client: Client) -> Payload:
        client.state["rounds"] = client.state.get("rounds", 0) + 1
        if client.id == 2:
            raise KeyError("lost")
        return {"rounds": torch.tensor(client.state["rounds"])}


def ask(method: Method, node: int) -> Message:
    content = RecordDict({"arrays": pack(initial(TOY, method)), "config": ConfigRecord({"server-round": 1})})
    return Message(content, node, "train")


def test_a_gpu_is_refused() -> None:
    trainer = trainer_of(TOY, FedAvg())
    trainer.device = torch.device("cuda")
    with pytest.raises(UserError, match="device=cpu for threads, got cuda"):
        ThreadsEngine().grid(trainer, 3)


def test_replies_come_in_order_and_own_their_tensors() -> None:
    nodes = [1, 2, 1, 1, 2]
    with ThreadsEngine(workers=2).grid(trainer_of(TOY, Counts()), 3) as place:
        asked = [ask(Counts(), node) for node in nodes]
        replies = list(place.send_and_receive(asked))
        expected = list(grid_of(TOY, Counts(), kind=InProcessGrid).send_and_receive(asked))
        assert [m.metadata.src_node_id for m in replies] == nodes
        for got, wanted in zip(replies, expected, strict=True):
            a, b = (unpack(m.content.array_records["arrays"]) for m in (got, wanted))
            assert same(a, b)
        assert load_memory(place.memory(0)) == {"test_threads": {"rounds": 3}}


def test_a_failing_client_is_an_error_reply_or_raised_and_keeps_its_memory() -> None:
    with ThreadsEngine(workers=2).grid(trainer_of(TOY, Counts()), 3) as place:
        bad, good = place.send_and_receive([ask(Counts(), 3), ask(Counts(), 1)])
        assert (bad.has_error(), good.has_error()) == (True, False)
        assert load_memory(place.memory(2)) == {}
        _, failed = place.stream([ask(Counts(), 1), ask(Counts(), 3)])
        assert isinstance(failed, ClientFailure)
        assert "lost" in str(failed.error)


def test_no_thread_is_left_and_no_more_are_made_than_there_are_clients() -> None:
    before = threading.active_count()
    with ThreadsEngine(workers=9).grid(trainer_of(TOY, FedAvg()), 2) as place:
        list(place.stream([ask(FedAvg(), 1), ask(FedAvg(), 2)]))
        assert threading.active_count() <= before + 2
    assert threading.active_count() == before


def test_a_net_with_dropout_is_refused() -> None:
    def make() -> Net:
        net = TOY.make()
        net.head = nn.Sequential(nn.Dropout(0.5), net.head)
        return net

    state = torch.get_rng_state()
    with pytest.raises(UserError, match=r"engine: expected a net that draws no random numbers"):
        ThreadsEngine().grid(trainer_of(replace(TOY, make=make), FedAvg()), 3)
    assert torch.equal(torch.get_rng_state(), state)
