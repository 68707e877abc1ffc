import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.method import Batch, Payload, Report, Setup, chain
from fedmed.optimizers import Optimizer
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedplvm import FedPLVM
from fedmed.strategies.fpl import FPL
from tests.strategies.prototype_toys import at, payload, prepared, server
from tests.strategies.test_fedplvm import penalty as fedplvm_penalty
from tests.toys import TOYS, federate, same

TOY = TOYS["multiclass"]
G = payload([[1.0, 0], [0.8, 0.6], [0, 1]], [0, 0, 1])
Z, Y = [[0.6, 0.8], [0.28, 0.96]], [0, 1]


def penalty(z: Tensor, y: list[int], inbox: Payload = G, classes: int = 2, **fields: Any) -> Tensor:
    method = FPL(**fields)
    client = prepared(method, "fpl", inbox, classes=classes)
    return torch.as_tensor(method.penalty(client, Batch(z, torch.tensor(y), None, torch.arange(len(z)), z, z)))


def test_the_contrast_is_the_share_of_the_clusters_of_the_class() -> None:
    found = penalty(torch.tensor(Z), Y, temperature=0.1, consistency=False).item()
    shares = []
    for (a, b), y in zip(Z, Y, strict=True):
        own, others = [math.exp(a / 0.1), math.exp((0.8 * a + 0.6 * b) / 0.1)], [math.exp(b / 0.1)]
        own, others = (own, others) if y == 0 else (others, own)
        shares.append(sum(own) / (sum(own) + sum(others)))
    assert found == pytest.approx(-sum(map(math.log, shares)) / 2, rel=1e-5)


def test_it_is_fedplvms_contrast_at_alpha_one() -> None:
    mine = penalty(torch.tensor(Z), Y, temperature=0.07, consistency=False)
    theirs = fedplvm_penalty(torch.tensor(Z), Y, alpha=1.0, correction="none")
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_consistency_is_the_mean_square_to_the_mean_of_the_clusters() -> None:
    z = torch.tensor([[0.5, 0.5], [1.0, 1.0]])
    found = penalty(z, [0, 1], contrast=False)
    assert found.item() == pytest.approx(((0.5 - 0.9) ** 2 + (0.5 - 0.3) ** 2 + 1) / 4)
    both = penalty(z, [0, 1], weight=3.0).item()
    assert both == pytest.approx(3 * (found + penalty(z, [0, 1], consistency=False)).item(), rel=1e-5)


def test_opposite_features_at_the_smallest_temperature_are_finite() -> None:
    z = torch.tensor([[-1.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = penalty(z, [0, 1], payload([[1.0, 0], [-1, 0]], [0, 1]), temperature=0.01)
    loss.backward()
    assert loss.item() > 50
    assert z.grad.isfinite().all()


def test_images_of_a_class_without_prototype_are_left_out() -> None:
    alone = penalty(torch.tensor(Z), Y, classes=3)
    z = torch.tensor([*Z, [0.3, 0.4]], requires_grad=True)
    beside = penalty(z, [*Y, 2], classes=3)
    assert beside.item() == pytest.approx(alone.item())
    beside.backward()
    assert z.grad[2].tolist() == [0, 0]
    assert penalty(z, [2, 2, 2], classes=3).item() == 0
    assert penalty(z, [0, 0, 0], {}).item() == 0


def test_the_server_clusters_class_means_or_averages_them() -> None:
    means = payload(at(0, 2, 30, 33), [0, 0, 0, 0])
    reports = [Report(client=0, examples=1, loss=0.0, payload=means, weights={})]
    assert len(FPL().combine(server(), reports)["prototypes"]) == 2
    (mean,) = FPL(clusters="mean").combine(server(), reports)["prototypes"]
    assert mean.tolist() == pytest.approx(at(0, 2, 30, 33).mean(0).tolist())
    sent = FPL().report(prepared(FPL(), "fpl", {}, at(0, 2, 40, 42), [0, 0, 1, 1]))
    assert sent["classes"].tolist() == [0, 1]


@pytest.mark.parametrize("off", [{"weight": 0.0}, {"contrast": False, "consistency": False}])
def test_without_terms_nothing_is_sent(off: dict[str, Any]) -> None:
    ended, plain = (federate(TOY, method, rounds=2) for method in (FPL(**off), FedAvg()))
    assert same(ended.shared, plain.shared)
    assert ended.progress.inbox == {}


def test_the_first_round_is_fedavgs_and_the_second_is_not() -> None:
    for rounds, equal in ((1, True), (2, False)):
        mine, plain = (federate(TOY, method, rounds=rounds) for method in (FPL(), FedAvg()))
        assert same(mine.shared, plain.shared) == equal


@pytest.mark.parametrize("task", ["segmentation", "multilabel"])
def test_other_tasks_are_refused(task: str) -> None:
    toy = TOYS[task]
    setup = Setup(task=toy.task, net=toy.net(), optimizer=Optimizer(), rounds=1, clients=1)
    (fault,) = chain(FPL()).check(setup)
    assert "fpl" in str(fault)


def test_fedplvm_is_the_one_that_sends_clusters() -> None:
    rows = at(0, 2, 5, 20, 23, 60, 62, 66)
    counts = [
        len(m.report(prepared(m, n, {}, rows, [0] * 8))["classes"]) for m, n in ((FPL(), "fpl"), (FedPLVM(), "fedplvm"))
    ]
    assert counts == [1, 3]
