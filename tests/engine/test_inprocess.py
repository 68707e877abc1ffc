from dataclasses import dataclass

import torch
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.local import InProcessGrid
from fedmed.flower import ClientFailure, LocalGrid
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Client, Method, Payload
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from tests.toys import TOYS, grid_of, initial, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Breaks(Method):
    """Writes its memory, then fails at client 1."""

    def report(self, client: Client) -> Payload:
        client.state["seen"] = client.round
        if client.id == 1:
            raise KeyError("lost")
        return {}


def grid(method: Method) -> InProcessGrid:
    return grid_of(TOY, method, kind=InProcessGrid)


def ask(method: Method, node: int, kind: str = "train", round: int = 1) -> Message:
    content = RecordDict({"arrays": pack(initial(TOY, method)), "config": ConfigRecord({"server-round": round})})
    return Message(content, node, kind)


def test_the_engine_makes_a_grid_of_all_clients() -> None:
    made = InprocessEngine().grid(trainer_of(TOY, FedAvg()), 3)
    assert isinstance(made, LocalGrid)
    assert list(made.get_node_ids()) == [1, 2, 3]


def test_node_n_holds_partition_n_minus_1() -> None:
    replies = grid(FedAvg()).send_and_receive([Message(RecordDict(), n, "query.roster") for n in (3, 1)])
    assert [m.content.metric_records["metrics"]["partition-id"] for m in replies] == [2, 0]


def test_streamed_replies_are_lent_and_clients_run_only_when_asked_for() -> None:
    place = grid(FedAvg())
    replies = place.stream([ask(FedAvg(), 1), ask(FedAvg(), 2)])
    assert 1 not in place.contexts
    first = unpack(next(replies).content.array_records["arrays"])["head.weight"]
    value = first.clone()
    assert [node in place.contexts for node in (1, 2)] == [True, False]
    second = unpack(next(replies).content.array_records["arrays"])["head.weight"]
    assert second is first
    assert not torch.equal(first, value)


def test_gathered_replies_are_owned_and_equal_streamed_ones() -> None:
    streamed = [
        unpack(m.content.array_records["arrays"])["head.weight"].clone()
        for m in grid(FedAvg()).stream([ask(FedAvg(), 1), ask(FedAvg(), 2)])
    ]
    gathered = list(grid(FedAvg()).send_and_receive([ask(FedAvg(), 1), ask(FedAvg(), 2)]))
    assert same(
        dict(enumerate(streamed)),
        {i: unpack(m.content.array_records["arrays"])["head.weight"] for i, m in enumerate(gathered)},
    )


def test_replies_name_the_message_they_answer_and_the_node() -> None:
    place = grid(FedAvg())
    numbers = list(place.push_messages([ask(FedAvg(), 2), ask(FedAvg(), 3)]))
    assert len(set(numbers)) == 2
    replies = list(place.pull_messages(reversed(numbers)))
    assert [m.metadata.reply_to_message_id for m in replies] == numbers[::-1]
    assert [m.metadata.src_node_id for m in replies] == [3, 2]
    assert list(place.pull_messages(numbers)) == []


def test_a_failing_client_is_an_error_reply_and_keeps_its_memory_as_it_was() -> None:
    place = grid(Breaks())
    good, bad = place.send_and_receive([ask(Breaks(), 1), ask(Breaks(), 2)])
    assert not good.has_error()
    assert bad.has_error()
    assert bad.error.reason == "KeyError: 'lost'"
    assert bad.metadata.src_node_id == 2
    assert load_memory(place.memory(0)) == {"test_inprocess": {"seen": 1}}
    assert load_memory(place.memory(1)) == {}


def test_an_app_of_the_users_own_that_fails_leaves_its_context_as_it_was() -> None:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        context.state["half"] = ConfigRecord({"done": 1})
        raise KeyError("lost")

    place = InProcessGrid(app, 1)
    (reply,) = place.send_and_receive([Message(RecordDict(), 1, "train")])
    assert reply.has_error()
    assert not place.memory(0)


def test_streaming_goes_on_after_a_client_that_raises() -> None:
    failed, good = grid(Breaks()).stream([ask(Breaks(), 2), ask(Breaks(), 3)])
    assert isinstance(failed, ClientFailure)
    assert repr(failed.error) == "KeyError('lost')"
    assert failed.request.metadata.dst_node_id == 2
    assert isinstance(good, Message)


def test_the_client_that_answered_last_can_be_given_back_what_it_remembered() -> None:
    place = grid(Breaks())
    for _ in place.stream([ask(Breaks(), 1)]):
        assert load_memory(place.memory(0)) == {"test_inprocess": {"seen": 1}}
        place.undo(0)
    assert load_memory(place.memory(0)) == {}


def test_memory_of_a_client_survives_rounds_and_can_be_set() -> None:
    place = grid(FedPer())
    list(place.send_and_receive([ask(FedPer(), 2)]))
    assert "@local" in load_memory(place.memory(1))
    other = grid(FedPer())
    other.memory(1).update(place.memory(1))
    assert same(load_memory(other.memory(1)), load_memory(place.memory(1)))
    assert load_memory(other.memory(0)) == {}


def test_messages_as_flower_makes_them() -> None:
    message = grid(FedAvg()).create_message(RecordDict(), "train", 2, "7", ttl=60.0)
    assert (message.metadata.dst_node_id, message.metadata.message_type, message.metadata.group_id) == (2, "train", "7")
    assert grid(FedAvg()).run.run_id == 1
