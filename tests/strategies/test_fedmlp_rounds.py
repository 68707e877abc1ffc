"""FedMLP in rounds: what it reduces to (M9 of its specification), what travels when (M10), and its preset."""

from __future__ import annotations

import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.data.examples import Examples
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedmlp import FedMLP, _worth
from tests.strategies.fedmlp_toys import PLAIN, TARGET, P, batch_of, client_of
from tests.toys import TOYS, Ended, Toy, federate

TOY, CLIENTS, FINDINGS = TOYS["multilabel"], 3, 3


def hiding() -> Toy:
    """The toy whose client k did not annotate finding k."""
    toy = TOY
    for client in range(CLIENTS):
        seen = torch.ones(1, FINDINGS, dtype=torch.bool)
        seen[0, client] = False
        toy = toy.with_train(client, lambda held, seen=seen: Examples(held.x, held.y * seen, seen.repeat(len(held), 1)))
    return toy


def heard(ended: Ended, direction: str, record: str) -> list[dict[str, torch.Tensor]]:
    return [tensors for way, name, tensors in ended.grid.recorded if (way, name) == (direction, record)]


@pytest.mark.parametrize("views", [1, 2])
def test_m9_with_every_label_it_is_fedavg(views: int) -> None:
    ours = federate(TOY, FedMLP(logit_adjustment=False, views=views, warmup_rounds=1), rounds=3)
    plain = federate(TOY, FedAvg(), rounds=3)
    for name, tensor in plain.shared.items():
        statistic = "running" in name or "tracked" in name  # a second view passes batch normalisation too
        assert (views == 2 and statistic) or torch.equal(ours.shared[name], tensor), name
    assert all("tag" not in ours.memory(client).get("fedmlp", {}) for client in range(CLIENTS))


@pytest.mark.parametrize("round", [1, 3])
def test_m9_a_student_that_is_its_teacher_feels_no_distillation(round: int) -> None:
    seen = torch.tensor([[True, False, False]] * 2)
    client = client_of(TARGET * seen, seen, round=round, logits=P.logit())
    z = P.logit().requires_grad_()
    penalty = FedMLP(**PLAIN).penalty(client, batch_of(z, TARGET, seen))
    assert isinstance(penalty, torch.Tensor)
    penalty.backward()
    assert z.grad is not None
    assert not z.grad.any()


def test_m9_warm_up_to_the_end_never_tags_and_sends_statistics_once() -> None:
    ended = federate(hiding(), FedMLP(warmup_rounds=3), rounds=3)
    assert len(heard(ended, "up", "report.fedmlp")) == CLIENTS
    assert heard(ended, "down", "inbox.fedmlp") == []
    assert all("tag" not in ended.memory(client).get("fedmlp", {}) for client in range(CLIENTS))


def test_m10_statistics_travel_from_the_last_warm_up_round_on() -> None:
    ended = federate(hiding(), FedMLP(warmup_rounds=2), rounds=4)
    up, down = heard(ended, "up", "report.fedmlp"), heard(ended, "down", "inbox.fedmlp")
    assert (len(up), len(down)) == (3 * CLIENTS, 2 * CLIENTS)
    width = up[0]["prototypes"].shape[1]
    assert {name: tuple(tensor.shape) for name, tensor in up[0].items()} == {
        "prototypes": (2 * FINDINGS, width),
        "counts": (2 * FINDINGS,),
        "missing": (FINDINGS,),
        "learning_degree": (FINDINGS,),
    }
    assert set(down[0]) == {"prototypes", "valid", "tau"}


def test_m10_tags_stay_with_the_client_and_only_grow() -> None:
    earlier = federate(hiding(), FedMLP(warmup_rounds=1, min_tag=2, adaptive=False), rounds=2)
    later = federate(hiding(), FedMLP(warmup_rounds=1, min_tag=2, adaptive=False), rounds=4)
    for client in range(CLIENTS):
        before, after = (ended.memory(client)["fedmlp"]["tag"] for ended in (earlier, later))
        assert (after >= 0).sum() > (before >= 0).sum() > 0
        assert torch.equal(after[before >= 0], before[before >= 0])
        assert (after[:, [c for c in range(FINDINGS) if c != client]] == -1).all()


def test_the_released_preset() -> None:
    node = experiment_from(["strategy=fedmlp_released"]).methods.members["fedmlp"]
    changed = {"logit_adjustment": False, "consistency": False, "adaptive": False, "min_tag": 0, "min_count": 1}
    kept = {"views": 2, "distillation": True, "norm": "active", "step": 1.0, "warmup_rounds": None}
    assert {name: getattr(node, name) for name in changed | kept} == changed | kept


def test_what_tags_are_worth_is_audited_by_side() -> None:
    """Four of six missing entries are tagged: three as present, of which two are, and one rightly as absent."""
    tag = torch.tensor([1, 1, 1, 0, -1, -1], dtype=torch.int8)
    present = torch.tensor([True, True, False, False, True, False])
    found = _worth(tag, present, torch.zeros(6, dtype=torch.bool))
    assert found == pytest.approx(
        {
            "tag_coverage": 4 / 6,
            "tag_precision": 3 / 4,
            "tag_precision_absent": 1.0,
            "tag_precision_present": 2 / 3,
            "tag_recall": 2 / 3,
        }
    )
    assert _worth(torch.full_like(tag, -1), present, present) == {"tag_coverage": 0.0}
