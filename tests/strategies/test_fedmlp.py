"""FedMLP's equations on numbers by hand: the examples M1 to M8 of its specification, and what it leaves undefined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmed.errors import UserError
from fedmed.method import Server, Setup, chain
from fedmed.models.net import Net
from fedmed.optimizers import Optimizer
from fedmed.strategies._class_prototypes import prototypes
from fedmed.strategies._tags import cosine_difference
from fedmed.strategies.fedmlp import FedMLP, _Round
from tests.strategies.fedmlp_toys import (
    AXES,
    F6,
    PLAIN,
    TARGET,
    Fixed,
    G,
    P,
    batch_of,
    client_of,
    exact,
    received,
    sent,
    tagged,
)
from tests.toys import TOYS


@pytest.fixture
def server() -> Server:
    return Server(round=2, rounds=9, seed=0, clients=(0, 1, 2), shared={}, state={})


def test_m1_given_labels_stay_as_they_are() -> None:
    seen = torch.tensor([[True, False, False]] * 2)
    y = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
    inbox = received(torch.eye(2).repeat(3, 1), [1.0] * 3)
    client = client_of(y, seen, features=torch.tensor([[1.0, 0], [0, 1]]), inbox=inbox)
    FedMLP(**PLAIN).prepare(client)
    assert client.train.y.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert client.train.seen.all()
    assert (client.given.y.tolist(), client.given.seen.tolist()) == ([[1, 0, 0], [0, 0, 0]], [[True, False, False]] * 2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, 1.015675), ({"logit_adjustment": False}, 1.003204), ({"norm": "all"}, 0.507838)],
)
def test_m2_adjusted_loss_over_annotated_classes(fields: dict[str, Any], expected: float) -> None:
    z = torch.tensor([[0.0, 2], [1, -1]], requires_grad=True)
    y, seen = torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[True, False]] * 2)
    method = FedMLP(**{**PLAIN, "logit_adjustment": True, **fields})
    client = client_of(y, seen, round=1)
    method.prepare(client)
    if method.logit_adjustment:
        shift = torch.tensor([0.25, 0.4]).logit()
        client.keep(_Round(shift))
        adjusted = (z + shift).sigmoid()
        assert adjusted.flatten().tolist() == pytest.approx([0.25, 0.831253, 0.475367, 0.196950], abs=1e-5)
    loss = method.loss(client, batch_of(z, y, seen))
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert z.grad is not None
    assert z.grad[:, 1].tolist() == [0, 0]
    assert (z.grad[:, 0] != 0).all()


def test_m2_the_prior_is_the_share_of_positives_clamped() -> None:
    client = client_of(torch.tensor([[1.0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]]), None, round=1)
    FedMLP(warmup_rounds=2).prepare(client)
    assert client.kept(_Round).shift.sigmoid().tolist() == pytest.approx([0.25, 0.2, 0.8])
    even = client_of(torch.tensor([[1.0], [0]]), None, round=1)
    FedMLP(warmup_rounds=2).prepare(even)
    assert even.kept(_Round).shift.tolist() == [0]


@pytest.mark.parametrize(("prior", "expected"), [("images", [0.5, 1 / 7]), ("prevalence", [0.5, 0.4])])
def test_the_prior_of_a_class_that_the_client_does_not_annotate(prior: Any, expected: list[float]) -> None:
    y, seen = torch.tensor([[1.0, 0], [0, 0]]).repeat(3, 1), torch.tensor([[True, False]] * 6)
    client = client_of(y, seen, features=F6, inbox=received(AXES.repeat(2, 1), [1.0, 0.0], prevalence=0.4))
    FedMLP(prior=prior, **PLAIN | {"logit_adjustment": True}).prepare(client)
    assert client.kept(_Round).shift.sigmoid().tolist() == pytest.approx(expected)


def test_m3_prototypes(server: Server) -> None:
    one = prototypes(
        torch.tensor([[1.0, 0], [3, 0], [0, 2], [0, 4]]), torch.tensor([[0.0], [0], [1], [1]]), torch.ones(4, 1).bool()
    )
    assert (one[0].tolist(), one[1].tolist()) == ([[2, 0], [0, 3]], [2, 2])
    two = prototypes(torch.tensor([[2.0, 2], [0, 1], [0, 5]]), torch.tensor([[0.0], [1], [1]]), torch.ones(3, 1).bool())
    nothing = torch.zeros(2, 2)
    three = torch.tensor([[0.0, 0], [0, 0], [5, 1], [1, 5]])
    inbox = FedMLP(min_count=1).combine(
        server,
        [
            sent(4, torch.cat([one[0], nothing]), [2, 2, 0, 0], [0, 1], [0, 0.5]),
            sent(3, torch.cat([two[0], nothing]), [1, 2, 0, 0], [0, 1], [0, 0.5]),
            sent(10, three, [0, 0, 6, 4], [1, 0], [0.5, 0]),
        ],
    )
    assert inbox["prototypes"].flatten().tolist() == pytest.approx([2, 0.857143, 0, 3, 5, 1, 1, 5], abs=1e-5)
    assert inbox["valid"].all()


def test_m3_a_class_without_annotator_is_invalid_and_a_row_keeps_its_value(server: Server) -> None:
    rows = torch.tensor([[1.0, 2], [3, 4], [0, 0], [0, 0]])
    method = FedMLP(step=0.25)
    method.combine(server, [sent(5, rows, [2, 3, 0, 0], [0, 1], [0, 0.2])])
    inbox = method.combine(server, [sent(5, rows + 4, [2, 0, 0, 0], [0, 1], [0, 0.4])])
    assert inbox["valid"].tolist() == [True, True, False, False]
    assert inbox["prototypes"].tolist() == [[2, 3], [3, 4], [0, 0], [0, 0]]
    assert inbox["tau"].tolist() == pytest.approx([1, 0.4])


def test_m4_learning_degree(server: Server) -> None:
    p = torch.tensor([0.1, 0.29, 0.3, 0.5, 0.7, 0.71, 0.95, 0.2], dtype=torch.float64)[:, None]
    hidden = torch.zeros(8, 1, dtype=torch.bool)
    payload = FedMLP(**PLAIN).report(client_of(hidden.float(), hidden, round=2, logits=p.logit()))
    assert payload["learning_degree"].tolist() == [0.625]
    rows, none = torch.zeros(4, 1), [0] * 4
    inbox = FedMLP().combine(
        server,
        [
            sent(100, rows, none, [0, 1], [0, 0.5]),
            sent(300, rows, none, [1, 0], [0.25, 0]),
            sent(100, rows, none, [1, 1], [0.75, 0.1]),
        ],
    )
    assert inbox["tau"].tolist() == pytest.approx([0.375, 0.3])


def test_m4_nobody_misses_a_class(server: Server) -> None:
    inbox = FedMLP().combine(server, [sent(5, torch.ones(4, 1), [2] * 4, [0, 0], [0, 0])])
    assert inbox["tau"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("method", "tau", "tags"),
    [
        (exact(0.5, 0.5), 1.0, [0, -1, -1, -1, 1, -1]),
        (exact(0.4, 0.7), 1.0, [0, -1, -1, -1, 1, 1]),
        (exact(0.005, 0.01), 1.0, [-1] * 6),
        (exact(0.8, 1.0), 0.5, [0, -1, -1, -1, 1, -1]),
        (exact(0.8, 1.0, adaptive=False), 0.5, [0, 0, -1, 1, 1, 1]),
        (exact(0.005, 0.01, min_tag=1), 1.0, [0, -1, -1, -1, 1, -1]),
        (exact(1.0, 1.0, min_tag=1), 0.0, [-1] * 6),
        (exact(0.0, 0.0, min_tag=9), 1.0, [0, 0, 0, 1, 1, 1]),
    ],
)
def test_m5_tagging(method: FedMLP, tau: float, tags: list[int]) -> None:
    assert cosine_difference(F6, AXES)[:, 0].tolist() == pytest.approx([1, 0.2, 0, -0.2, -1, -1], abs=1e-6)
    assert tagged(method, tau=tau) == tags
    assert tagged(method, F6 * 10, tau=tau) == tags


@pytest.mark.parametrize(("rows", "expected"), [(199, 0), (200, 1), (400, 2)])
def test_m6_how_many_are_tagged(rows: int, expected: int) -> None:
    assert tagged(exact(0.005, 0.01), AXES[:1].repeat(rows, 1)).count(0) == expected


def test_m6_positives_need_no_negative_candidate() -> None:
    assert tagged(exact(0.005, 0.01), AXES[1:].repeat(99, 1)).count(1) == 0
    assert tagged(exact(0.005, 0.01), AXES[1:].repeat(100, 1)).count(1) == 1
    assert tagged(exact(0.005, 0.01), AXES[1:].repeat(1000, 1), tau=0.7).count(1) == 7


def test_m6_tags_pile_up_and_never_change() -> None:
    g = torch.Generator().manual_seed(0)
    seen = torch.zeros(60, 2, dtype=torch.bool)
    seen[:, 0], seen[:7, 1] = True, True
    y = torch.randint(2, (60, 2), generator=g).float() * seen
    state: dict[str, Any] = {}
    counts = []
    before = torch.full((60, 2), -1, dtype=torch.int8)
    for round in range(3, 12):
        features = torch.randn(60, 2, generator=g)
        inbox = received(torch.randn(4, 2, generator=g), [1.0, 1.0])
        client = client_of(y, seen, round=round, features=features, inbox=inbox, state=state)
        exact(0.2, 0.3).prepare(client)
        state = client.state
        assert torch.equal(state["tag"][before >= 0], before[before >= 0])
        assert (state["tag"][seen] == -1).all()
        assert torch.equal(client.train.y[seen], y[seen])
        before = state["tag"]
        counts.append(int((before >= 0).sum()))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0] > 0


@pytest.mark.parametrize(
    ("fields", "expected"), [({}, 0.226001), ({"consistency": False}, 0.299001), ({"norm": "all"}, 0.226001)]
)
def test_m7_stage_2(fields: dict[str, Any], expected: float) -> None:
    seen = ~torch.tensor([[0, 0, 1], [0, 1, 0]]).bool()
    assert total(FedMLP(**{**PLAIN, **fields}), 3, TARGET, seen) == pytest.approx(expected, abs=1e-5)


def test_m7_without_anything_missing_it_is_the_mean_loss() -> None:
    plain = nn.functional.binary_cross_entropy(P, TARGET).item()
    assert total(FedMLP(**PLAIN), 3, TARGET, torch.ones(2, 3).bool()) == pytest.approx(plain)
    assert total(FedMLP(**PLAIN), 3, TARGET, None) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, 0.366985 + 0.0725), ({"distillation": False}, 0.366985), ({"norm": "all"}, 0.366985 / 3 + 0.0725)],
)
@pytest.mark.parametrize("views", [1, 2])
def test_m8_stage_1(fields: dict[str, Any], expected: float, views: int) -> None:
    """The released code would divide the first term by its nominal batch of 32 instead of 2: 0.022937."""
    seen = torch.tensor([[True, False, False]] * 2)
    loss = total(FedMLP(**{**PLAIN, "views": views, **fields}), 1, TARGET * seen, seen)
    assert loss == pytest.approx(expected, abs=1e-5)


def total(method: FedMLP, round: int, y: Tensor, seen: Tensor | None) -> float:
    """Loss and penalty of P against the teacher's G; a second view gives P again."""
    client = client_of(y, seen, round=round, logits=P.logit())
    client.context.frozen_copy = lambda weights: Net(nn.Identity(), Fixed(G.logit()))
    client.keep(_Round(torch.zeros(3)))
    batch = batch_of(P.logit(), y, seen)
    return float(method.loss(client, batch) + method.penalty(client, batch))


def test_nothing_annotated_leaves_the_distillation_alone() -> None:
    seen = torch.zeros(2, 3).bool()
    expected = (P - G).square()
    assert total(FedMLP(**PLAIN), 1, TARGET * 0, seen) == pytest.approx(expected.mean().item(), rel=1e-4)
    assert total(FedMLP(**PLAIN), 3, TARGET * 0, seen) == pytest.approx(expected.mean().item(), rel=1e-4)


def test_invalid_prototypes_tag_nothing() -> None:
    assert tagged(exact(1.0, 1.0), valid=False) == [-1] * 6


def test_a_zero_feature_leans_to_absent() -> None:
    assert tagged(exact(1.0, 1.0), torch.zeros(2, 2)) == [0, 0]


def test_few_labels_give_no_prototype() -> None:
    y, seen = torch.tensor([[1.0, 0], [0, 0], [0, 0]]), torch.tensor([[True, False]] * 3)
    for least, whole in ((1, [True, True, False, False]), (2, [True, False, False, False])):
        client = client_of(y, seen, round=2, features=torch.ones(3, 2))
        payload = FedMLP(min_count=least, **PLAIN).report(client)
        assert payload["counts"].tolist() == [2, 1, 0, 0]
        assert payload["prototypes"].any(1).tolist() == whole
        assert payload["missing"].tolist() == [False, True]


def _in_tagging(features: Tensor) -> None:
    tagged(FedMLP(**PLAIN), features)


def _in_report(features: Tensor) -> None:
    y = torch.zeros(len(features), 1)
    FedMLP(**PLAIN).report(client_of(y, y.bool(), round=2, features=features))


@pytest.mark.parametrize("use", [_in_tagging, _in_report])
def test_broken_features_are_an_error_with_a_place(use: Callable[[Tensor], None]) -> None:
    with pytest.raises(UserError, match=r"client 4, round [23], class 0: expected finite features"):
        use(torch.full((3, 2), torch.nan))


def _setup(kind: str, rounds: int) -> Setup:
    toy = TOYS[kind]
    return Setup(task=toy.task, net=toy.net(), optimizer=Optimizer(), rounds=rounds, clients=3)


@pytest.mark.parametrize(
    ("kind", "fields", "where"),
    [
        ("multiclass", {}, "strategy"),
        ("segmentation", {}, "strategy"),
        ("multilabel", {"warmup_rounds": 5}, "strategy.warmup_rounds"),
        ("multilabel", {"lower": 0.8}, "strategy.lower"),
    ],
)
def test_what_is_refused(kind: str, fields: dict[str, Any], where: str) -> None:
    (fault,) = chain(FedMLP(**fields)).check(_setup(kind, 4))
    assert fault.where == where


def test_warm_up_to_the_end_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="all 4 rounds"):
        assert FedMLP(warmup_rounds=4).check(_setup("multilabel", 4)) == []


@pytest.mark.parametrize(("rounds", "warmup"), [(1, 1), (2, 1), (3, 2), (20, 2), (500, 50)])
def test_the_usual_warm_up(rounds: int, warmup: int) -> None:
    assert FedMLP()._warmup(rounds) == warmup
