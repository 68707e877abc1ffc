import torch
from flwr.app import ConfigRecord, Context, Message, RecordDict

from fedmed.client import ClientResult
from fedmed.flower import identify
from fedmed.flower.messages import answer, ask, count_bytes, flat, read_reply, read_request
from fedmed.flower.records import pack, save_memory, unpack
from fedmed.metrics import Scores
from tests.toys import same

CONTEXT = Context(1, 4, {"partition-id": 3, "num-partitions": 5}, RecordDict(), {})
WEIGHTS = {"w": torch.ones(2, 3), "n": torch.tensor(4)}


def message(content: RecordDict) -> Message:
    identify()
    return Message(content, 4, "train")


def test_a_job_is_read_from_message_and_context() -> None:
    save_memory({"fedx": {"kept": 2}}, CONTEXT.state)
    content = ask(pack(WEIGHTS), {"fedx": pack({"c": torch.zeros(1)})}, {"server-round": 7, "num-rounds": 9})
    request = read_request(message(content), CONTEXT)
    assert (request.client, request.round, request.rounds, request.adapted) == (3, 7, 9, False)
    assert request.shared["w"] is WEIGHTS["w"]
    assert same(dict(request.inbox), {"fedx": {"c": torch.zeros(1)}})
    assert request.state == {"fedx": {"kept": 2}}


def test_a_message_of_flowers_own_strategies_is_enough() -> None:
    content = RecordDict({"arrays": pack(WEIGHTS), "config": ConfigRecord({"server-round": 2})})
    request = read_request(message(content), CONTEXT)
    assert (request.round, request.rounds, request.inbox) == (2, 2, {})


def test_an_answer_is_read_as_it_was_given_without_copies() -> None:
    scores = Scores(values={"auc": 0.75}, defined={}, of={}, undefined=("loss",), detail={}, examples=5)
    payloads = {"fedx": {"p": torch.ones(1)}, "silent": {}}
    outcome = ClientResult(
        examples=12, images=24, loss=0.5, weights=WEIGHTS, payloads=payloads, state={}, adapted=scores
    )
    content = answer(3, outcome, pack(WEIGHTS), 1.5)
    assert set(content) == {"arrays", "metrics", "report.fedx"}
    reply = read_reply(Message(content, reply_to=message(RecordDict())))
    assert (reply.report.client, reply.report.examples, reply.report.loss) == (3, 12, 0.5)
    assert reply.report.weights["w"] is WEIGHTS["w"]
    assert same(dict(reply.payloads), {"fedx": payloads["fedx"]})
    assert reply.extra == {"adapted.auc": 0.75}
    assert (reply.images, reply.seconds) == (24, 1.5)


def test_bytes_are_those_of_the_values() -> None:
    assert count_bytes(WEIGHTS) == 6 * 4 + 8
    assert count_bytes({}) == 0


def test_no_scores_are_no_metrics() -> None:
    assert flat("test", None) == {}


def test_the_order_of_names_is_kept() -> None:
    content = ask(pack({"b": torch.ones(1), "a": torch.ones(1)}), {}, {})
    assert list(unpack(content.array_records["arrays"])) == ["b", "a"]
