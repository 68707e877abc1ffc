import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed import rng
from fedmed.errors import UserError
from fedmed.method import Batch, Client, Payload, Report, Setup, chain
from fedmed.optimizers import Optimizer
from fedmed.server import Aggregation, AverageServerOptimizer
from fedmed.strategies._prototypes import Received
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedplvm import FedPLVM
from tests.strategies.prototype_toys import at, payload, prepared, server
from tests.toys import TOYS, federate, same

TOY = TOYS["multiclass"]
G = {"prototypes": [[1.0, 0], [0.8, 0.6], [0, 1]], "classes": [0, 0, 1]}
"""The global prototypes of P1 to P4."""
Z, Y = [[0.6, 0.8], [0.28, 0.96]], [0, 1]


def client_of(
    method: FedPLVM, inbox: Payload, features: Any = ((1.0, 0.0),), y: Sequence[int] = (0,), classes: int = 2
) -> Client:
    """A prepared client whose training images have these features."""
    return prepared(method, "fedplvm", inbox, features, y, classes)


def penalty(z: Tensor, y: Sequence[int], inbox: Payload | None = None, classes: int = 2, **fields: Any) -> Tensor:
    method = FedPLVM(**fields)
    client = client_of(method, payload(**G) if inbox is None else inbox, classes=classes)
    return torch.as_tensor(method.penalty(client, Batch(z, torch.tensor(y), None, torch.arange(len(z)), z, z)))


def sent(features: Any, y: Sequence[int], method: FedPLVM | None = None, classes: int = 2) -> Payload:
    method = method or FedPLVM(min_examples=1)
    return method.report(client_of(method, {}, features, y, classes))


def combined(*payloads: Payload, **fields: Any) -> Payload:
    reports = [Report(client=i, examples=1, loss=0.0, payload=p, weights={}) for i, p in enumerate(payloads)]
    return FedPLVM(**fields).combine(server(), reports)


def angles(rows: Tensor) -> list[float]:
    return [math.degrees(a) for a in torch.atan2(rows[:, 1], rows[:, 0])]


@pytest.mark.parametrize(
    ("alpha", "each"),
    [
        (0.25, (0.365102, 0.442183)),
        (1.0, (0.096319, 0.096911)),
        (0.5, (0.247181, 0.260025)),
        (0.125, (0.407194, 0.619208)),
    ],
)
def test_p1_contrast(alpha: float, each: tuple[float, float]) -> None:
    fields = {"alpha": alpha, "correction": "none"}
    alone = [penalty(torch.tensor([z]), [y], **fields).item() for z, y in zip(Z, Y, strict=True)]
    assert alone == pytest.approx(each, abs=1e-5)
    assert penalty(torch.tensor(Z), Y, **fields).item() == pytest.approx(sum(each) / 2, abs=1e-5)


def test_p2_correction() -> None:
    z = torch.tensor(Z)
    contrast = penalty(z, Y, correction="none")
    assert (penalty(z, Y) - contrast).item() == pytest.approx(0.0332156, abs=1e-5)
    assert (penalty(z, Y, correction="sum") - contrast).item() == pytest.approx(0.070098, abs=1e-5)
    for one, y, wanted in ((z[:1], Y[:1], 0.130042), (z[1:], Y[1:], 0.010154)):
        found = penalty(one, y, correction="sum") - penalty(one, y, correction="none")
        assert found.item() == pytest.approx(wanted, abs=1e-5)
    assert penalty(z, Y, weight=100).item() == pytest.approx(43.6858, abs=1e-4)
    assert penalty(z, Y, weight=100, correction="sum").item() == pytest.approx(47.3740, abs=1e-4)


@pytest.mark.parametrize("correction", ["mean", "sum"])
def test_p3_lengths_do_not_count(correction: str) -> None:
    z = torch.tensor(Z, requires_grad=True)
    loss = penalty(z, Y, correction=correction)
    longer = payload(torch.tensor(G["prototypes"]) * torch.tensor([[3.0], [3], [0.2]]), G["classes"])
    stretched = penalty(z.detach() * torch.tensor([[7.0], [0.1]]), Y, longer, correction=correction)
    assert stretched.item() == pytest.approx(loss.item(), abs=1e-5)
    loss.backward()
    assert (z * z.grad).sum(1).tolist() == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize("row", [[1.0, -0.2], [1, 0], [-1, 0], [0, 0], [1e-30, 0]])
@pytest.mark.parametrize("correction", ["mean", "sum"])
def test_p4_negative_zero_and_no_cosine_are_finite(row: list[float], correction: str) -> None:
    z = torch.tensor([row, [0.6, 0.8]], requires_grad=True)
    loss = penalty(z, [0, 0], correction=correction)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()
    assert z.grad.abs().max() < 1e6


def test_p4_loss_at_a_cosine_of_zero_and_gradient_of_p1() -> None:
    assert penalty(torch.tensor([[1.0, 0]]), [0], correction="none").item() == pytest.approx(6.7e-7, abs=1e-7)
    z = torch.tensor([[0.6, 0.8]], requires_grad=True)
    penalty(z, [0], correction="none").backward()
    assert z.grad[0].tolist() == pytest.approx([-1.005612, 0.754209], abs=1e-5)


def test_the_smallest_share_at_the_smallest_temperature_is_that_of_float64() -> None:
    def found(dtype: torch.dtype) -> list[float]:
        z = torch.tensor([[1.0, 1e-3]], dtype=dtype, requires_grad=True)
        fields: dict[str, Any] = {"temperature": 0.02, "alpha": 1, "correction": "none"}
        loss = penalty(z, [1], payload([[1.0, 0], [0, 1]], [0, 1], dtype), **fields)
        loss.backward()
        return [loss.item(), *z.grad[0].tolist()]

    assert found(torch.float32) == pytest.approx(found(torch.float64), rel=1e-5, abs=1e-5)
    assert found(torch.float32)[0] == pytest.approx(1 / 0.02 - 0.05, abs=1e-3)


@pytest.mark.parametrize("correction", ["mean", "sum"])
def test_p4_a_class_without_prototype_is_left_out(correction: str) -> None:
    alone = penalty(torch.tensor(Z), Y, classes=3, correction=correction)
    z = torch.tensor([*Z, [0.3, 0.4]], requires_grad=True)
    beside = penalty(z, [*Y, 2], classes=3, correction=correction)
    assert beside.item() == pytest.approx(alone.item(), abs=1e-6)
    beside.backward()
    assert z.grad[2].tolist() == [0, 0]
    assert penalty(z, [2, 2, 2], classes=3, correction=correction).item() == 0


def test_p4_without_prototypes_the_loss_is_the_base_loss() -> None:
    assert penalty(torch.tensor(Z), Y, {}).item() == 0
    mine, plain = (federate(TOY, method, rounds=1) for method in (FedPLVM(weight=50), FedAvg()))
    assert same(mine.shared, plain.shared)
    later, plain = (federate(TOY, method, rounds=2) for method in (FedPLVM(weight=50), FedAvg()))
    assert not same(later.shared, plain.shared)


def test_p5_a_client_sends_the_means_of_its_last_partition() -> None:
    found = sent(at(0, 2, 5, 20, 23, 60, 62, 66), [1] * 8)
    assert found["classes"].tolist() == [1, 1, 1]
    assert angles(found["prototypes"]) == pytest.approx([2.333, 21.5, 62.666], abs=1e-3)
    assert found["prototypes"].norm(dim=1).tolist() == pytest.approx([0.99936, 0.99966, 0.99905], abs=1e-5)


def test_p6_two_levels() -> None:
    a, b = (sent(at(*degrees), [0] * 4) for degrees in ((0, 2, 30, 33), (1, 4, 31, 60)))
    assert angles(a["prototypes"]) == pytest.approx([1.0, 31.5], abs=1e-3)
    assert a["prototypes"].norm(dim=1).tolist() == pytest.approx([0.999848, 0.999657], abs=1e-5)
    assert angles(b["prototypes"]) == pytest.approx([23.639], abs=1e-3)
    assert b["prototypes"].norm().item() == pytest.approx(0.915458, abs=1e-5)
    found = combined(a, b)["prototypes"]
    assert angles(found) == pytest.approx([18.625], abs=1e-3)
    assert found[0].tolist() == pytest.approx([0.896896, 0.302279], abs=1e-5)


def test_p7_means_of_prototypes_count_clusters_alike() -> None:
    rows = [[4, 0], [4, 0.1], [4, 0.2], [0, 1], [0.1, 1]]
    found = sent(rows, [0] * 5)["prototypes"]
    assert found.tolist() == [pytest.approx([4, 0.1]), pytest.approx([0.05, 1])]
    known = client_of(FedPLVM(), payload(found, [0, 0])).kept(Received).known
    gbar = torch.tensor([2.025, 0.55])
    assert known.direction[0].tolist() == pytest.approx((gbar / gbar.norm()).tolist(), abs=1e-5)


A = [[3, 0, 1], [3, 0.2, 1], [0, 2, 1], [0, 2.2, 1], [0.1, 2, 1.1], [0, 0, 1], [0, 0.1, 1]]
SENT = [3, 0.1, 1, 0.033333, 2.066667, 1.033333, 0, 0.05, 1]
B = [[2, 0, 1], [0.2, 0, 2], [0.1, 0, 2], [1, 1, 1], [1, 1.1, 1]]


def test_p8_a_round_of_the_server() -> None:
    a, b = sent(A, [0] * 5 + [1] * 2), sent(B, [0] + [1] * 4)
    assert (a["classes"].tolist(), b["classes"].tolist()) == ([0, 0, 1], [0, 1, 1])
    assert a["prototypes"].flatten().tolist() == pytest.approx(SENT, abs=1e-5)
    assert b["prototypes"].flatten().tolist() == pytest.approx([2, 0, 1, 0.15, 0, 2, 1, 1.05, 1])
    g = combined(a, b)
    assert g["classes"].tolist() == [0, 1]
    wanted = [1.677778, 0.722222, 1.011111, 0.383333, 0.366667, 1.333333]
    assert g["prototypes"].flatten().tolist() == pytest.approx(wanted, abs=1e-5)
    z = torch.tensor([[1.0, 1, 1], [0.5, 0, 2]])
    contrast = penalty(z, [0, 1], g, correction="none")
    assert contrast.item() == pytest.approx(0.378970, abs=1e-5)
    assert (penalty(z, [0, 1], g) - contrast).item() == pytest.approx(0.004357, abs=1e-5)
    paper = (penalty(z, [0, 1], g, correction="sum") - contrast).item()
    assert paper == pytest.approx((0.014488 + 0.008556) / 2, abs=1e-5)


@pytest.mark.parametrize(("aggregate", "wanted"), [("size", [1.5, 3.0]), ("uniform", [2.0, 4.0])])
def test_p9_average_of_weights(aggregate: Any, wanted: list[float]) -> None:
    going = Aggregation(chain(FedPLVM(aggregate=aggregate)), server(), AverageServerOptimizer(), frozenset("w"))
    for i, (w, n) in enumerate((([1.0, 2.0], 30), ([3.0, 6.0], 10))):
        going.add(Report(client=i, examples=n, loss=0.0, payload={}, weights={"w": torch.tensor(w)}), {})
    assert going.finish()[0]["w"].tolist() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("correction", ["mean", "sum"])
def test_p10_equals_a_loop_over_samples(correction: str) -> None:
    g = rng.generator(0, "loop")
    rows, own = torch.rand(9, 5, generator=g, dtype=torch.float64), [0, 0, 1, 1, 1, 2, 2, 2, 2]
    z, y = torch.rand(6, 5, generator=g, dtype=torch.float64).requires_grad_(), [0, 1, 2, 0, 1, 2]
    loss = penalty(z, y, payload(rows, own, torch.float64), classes=3, correction=correction)
    slow = torch.stack([_by_hand(z[i], y[i], rows, own, correction) for i in range(6)]).mean()
    mine, theirs = (torch.autograd.grad(each, z)[0] for each in (loss, slow))
    assert abs(loss.item() - slow.item()) < 1e-6
    assert (mine - theirs).abs().max() < 1e-8


def _by_hand(z: Tensor, y: int, rows: Tensor, own: list[int], correction: str) -> Tensor:
    cosine = [(z @ g) / (z.norm() * g.norm()) for g in rows]
    terms = [(c**0.25 / 0.07).exp() for c in cosine]
    mine = [i for i, m in enumerate(own) if m == y]
    contrast = -torch.log(sum(terms[i] for i in mine) / sum(terms))
    if correction == "sum":
        return contrast + abs(sum(cosine[i] ** 0.25 for i in mine) - len(mine))
    mean = rows[mine].mean(0)
    return contrast + 2 * ((z @ mean) / (z.norm() * mean.norm()) - 1) ** 2


def test_a_class_below_the_minimum_and_a_class_absent_are_not_sent() -> None:
    rows, y = [[1.0, 0], [0, 1], [0, 1.1], [0.1, 1]], [0, 2, 2, 2]
    assert sent(rows, y, FedPLVM(), classes=4)["classes"].tolist() == [2]
    assert sent(rows, y, FedPLVM(min_examples=1), classes=4)["classes"].tolist() == [0, 2]
    assert sent(rows[:1], y[:1], FedPLVM()) == {}


def test_a_client_that_sends_nothing_is_passed_over() -> None:
    one = payload([[1.0, 0]], [1])
    assert same(dict(combined({}, one)), dict(one))
    assert combined({}, {}) == {}


def test_the_more_a_class_varies_the_more_prototypes_it_gets() -> None:
    narrow, wide = at(10, 11, 12.5, 14.5), at(0, 2, 40, 43, 80, 81)
    found = sent(torch.cat([narrow, wide]), [0] * 4 + [1] * 6)["classes"].bincount().tolist()
    assert found == [1, 3]


def test_plain_means_and_no_global_clustering_are_the_ablations() -> None:
    rows = at(0, 2, 5, 20, 23, 60, 62, 66)
    assert len(sent(rows, [0] * 8, FedPLVM(local_clusters="mean"))["prototypes"]) == 1
    four = payload(at(0, 2, 30, 33), [0, 0, 0, 0])
    assert len(combined(four)["prototypes"]) == 2
    assert combined(four, global_clusters="mean")["prototypes"].tolist() == [pytest.approx(at(0, 2, 30, 33).mean(0))]
    assert same(dict(combined(four, global_clusters="none")), dict(four))


def test_a_large_class_is_clustered_by_a_seeded_draw() -> None:
    rows, y = torch.rand(60, 4, generator=rng.generator(1, "large")), [0] * 60
    some = FedPLVM(max_examples=20, local_clusters="mean")
    one, again, whole = sent(rows, y, some), sent(rows, y, some), sent(rows, y, replace(some, max_examples=60))
    assert same(dict(one), dict(again))
    assert not torch.equal(one["prototypes"], whole["prototypes"])


def test_broken_features_are_an_error_that_says_whose() -> None:
    with pytest.raises(UserError, match=r"client 0, round 2, class 1: expected finite features"):
        sent([[1.0, 0], [math.nan, 0]], [0, 1])


def test_without_weight_nothing_is_sent_and_a_slot_is_free() -> None:
    ended = federate(TOY, FedPLVM(weight=0.0), rounds=1)
    assert ended.progress.inbox == {}
    assert chain(FedPLVM(aggregate="uniform")).has("weights")
    assert not chain(FedPLVM()).has("weights")


@pytest.mark.parametrize("task", ["segmentation", "multilabel"])
def test_other_tasks_are_refused(task: str) -> None:
    toy = TOYS[task]
    setup = Setup(task=toy.task, net=toy.net(), optimizer=Optimizer(), rounds=1, clients=1)
    (fault,) = chain(FedPLVM()).check(setup)
    assert "fedplvm" in str(fault)
    assert fault.got == task
