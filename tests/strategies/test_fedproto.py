import pytest
import torch
from torch import Tensor

from fedmed.errors import UserError
from fedmed.method import Batch, Payload, Report, Setup, chain
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedproto import FedProto
from tests.strategies.prototype_toys import payload, prepared, server
from tests.toys import TOYS, federate, same

TOY = TOYS["multiclass"]
G = payload([[1.0, 0], [0.8, 0.6], [0, 1]], [0, 0, 1])


def penalty(z: Tensor, y: list[int], inbox: Payload = G, weight: float = 1.0) -> Tensor:
    method = FedProto(weight=weight)
    client = prepared(method, "fedproto", inbox, classes=3)
    return torch.as_tensor(method.penalty(client, Batch(z, torch.tensor(y), None, torch.arange(len(z)), z, z)))


def test_the_distance_is_the_mean_square_to_the_mean_of_the_class() -> None:
    z = torch.tensor([[0.5, 0.5], [1.0, 1.0]], requires_grad=True)
    loss = penalty(z, [0, 1], weight=2.0)
    wanted = 2 * ((0.5 - 0.9) ** 2 + (0.5 - 0.3) ** 2 + 1**2 + 0) / 4
    assert loss.item() == pytest.approx(wanted)
    loss.backward()
    assert z.grad.tolist() == [pytest.approx([-0.4, 0.2]), pytest.approx([1.0, 0.0])]


def test_a_class_without_prototype_adds_nothing_and_moves_nothing() -> None:
    z = torch.tensor([[1.0, 1.0], [7.0, 7.0]], requires_grad=True)
    loss = penalty(z, [1, 2])
    assert loss.item() == pytest.approx(1 / 4)
    loss.backward()
    assert z.grad[1].tolist() == [0, 0]
    assert penalty(z, [0, 1], {}).item() == 0


def test_a_client_sends_the_means_of_its_classes_and_the_server_averages_clients_alike() -> None:
    method = FedProto()
    client = prepared(method, "fedproto", {}, [[1.0, 0], [3, 0], [0, 1]], [1, 1, 0], 3)
    sent = method.report(client)
    assert sent["classes"].tolist() == [0, 1]
    assert sent["prototypes"].tolist() == [[0, 1], [2, 0]]
    reports = [
        Report(client=i, examples=n, loss=0.0, payload=p, weights={})
        for i, (n, p) in enumerate([(100, sent), (1, payload([[4.0, 4]], [1]))])
    ]
    assert method.combine(server(), reports)["prototypes"].tolist() == [[0, 1], [3, 2]]


def test_the_first_round_is_fedavgs_and_prototypes_alone_may_travel() -> None:
    one, plain = (federate(TOY, method, rounds=1) for method in (FedProto(weight=5), FedAvg()))
    assert same(one.shared, plain.shared)
    alone, pulled = (federate(TOY, FedProto(weight=w, local=("*",)), rounds=3) for w in (0.0, 5.0))
    assert not pulled.shared
    assert pulled.progress.inbox["fedproto"]["classes"].tolist() == [0, 1, 2]
    assert "fedproto" not in alone.progress.inbox


def test_broken_features_are_an_error_that_says_what_to_lower() -> None:
    with pytest.raises(UserError, match=r"expected finite features.*strategy\.fedproto\.weight"):
        FedProto().report(prepared(FedProto(), "fedproto", {}, [[float("nan"), 0]], [0], 2))


@pytest.mark.parametrize("task", ["segmentation", "multilabel"])
def test_other_tasks_are_refused(task: str) -> None:
    toy = TOYS[task]
    setup = Setup(task=toy.task, net=toy.net(), optimizer=Optimizer(), rounds=1, clients=1)
    (fault,) = chain(FedProto()).check(setup)
    assert "fedproto" in str(fault)
