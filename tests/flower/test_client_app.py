import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import cloudpickle
import pytest
import torch
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedmed.flower import client_app, identify
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Client, Method
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, Toy, federate, initial, same

TOY = TOYS["multiclass"]


def app_of(method: Method, toy: Toy = TOY) -> ClientApp:
    return client_app(method, net=toy.net(), task=toy.task, training=TRAINING, share=toy.shares.__getitem__)


def context(partition: int) -> Context:
    return Context(1, 100 + partition, {"partition-id": partition, "num-partitions": 3}, RecordDict(), {})


def ask(kind: str, method: Method) -> Message:
    content = RecordDict({"arrays": pack(initial(TOY, method)), "config": ConfigRecord({"server-round": 1})})
    return Message(content, 100, kind)


def test_the_client_is_its_partition_not_its_node() -> None:
    app, roster = app_of(FedAvg()), Message(RecordDict(), 102, "query.roster")
    assert app(roster, context(2)).content.metric_records["metrics"] == {"partition-id": 2, "num-examples": 12}


def test_training_answers_with_weights_and_keeps_memory_in_the_context() -> None:
    app, place = app_of(FedPer()), context(1)
    reply = app(ask("train", FedPer()), place)
    assert unpack(reply.content.array_records["arrays"]).keys() == initial(TOY, FedPer()).keys()
    metrics = reply.content.metric_records["metrics"]
    assert (metrics["num-examples"], metrics["partition-id"]) == (12, 1)
    assert metrics["seconds"] > 0
    assert load_memory(place.state)["@local"].keys() == {"head.weight", "head.bias"}


def test_evaluation_reports_scores_and_their_size_and_keeps_nothing() -> None:
    app, place = app_of(FedPer()), context(1)
    metrics = app(ask("evaluate", FedPer()), place).content.metric_records["metrics"]
    assert {"val.loss", "test.loss", "test.accuracy"} <= set(metrics)
    assert (metrics["num-examples"], metrics["val.num-examples"]) == (6, 4)
    assert not place.state


def test_a_client_that_keeps_nothing_has_an_empty_context() -> None:
    app, place = app_of(FedAvg()), context(0)
    app(ask("train", FedAvg()), place)
    assert not place.state


@pytest.mark.parametrize("copied", [lambda app: cloudpickle.loads(cloudpickle.dumps(app)), copy.deepcopy])
def test_a_copy_of_an_app_trains_as_the_app_does(copied: Callable[[ClientApp], ClientApp]) -> None:
    """Flower's simulation pickles an app into its actors."""
    before, sent = initial(TOY, Scaffold()), []
    for app in (app_of(Scaffold()), copied(app_of(Scaffold()))):
        reply = app(ask("train", Scaffold()), context(1))
        sent.append({name: unpack(record) for name, record in reply.content.array_records.items()})
    assert same(sent[1], sent[0])
    assert not any(torch.equal(sent[1]["arrays"][n], before[n]) for n in ("head.weight", "head.bias"))


def test_clients_without_test_images_say_so() -> None:
    toy = replace(TOY, shares=tuple(replace(s, val=s.val[:0], test=s.test[:0]) for s in TOY.shares))
    metrics = app_of(FedAvg(), toy)(ask("evaluate", FedAvg()), context(0)).content.metric_records["metrics"]
    assert metrics == {"partition-id": 0, "num-examples": 0}


@dataclass(frozen=True, kw_only=True)
class Forgets(Method):
    """Keeps something in round 1 and throws it away in round 2."""

    def prepare(self, client: Client) -> None:
        client.state["kept"] = torch.ones(1)
        if client.round == 2:
            client.state.clear()


def test_what_a_method_throws_away_is_gone() -> None:
    assert federate(TOY, Forgets(), rounds=1).memory(0).keys() == {"test_client_app"}
    assert federate(TOY, Forgets(), rounds=2).memory(0) == {}


def test_training_learns_although_the_server_pulls_replies_without_gradients() -> None:
    with torch.no_grad():
        quiet = federate(TOY, FedAvg()).shared
    assert same(quiet, federate(TOY, FedAvg()).shared)


@pytest.fixture(autouse=True)
def _identity() -> None:
    identify()
