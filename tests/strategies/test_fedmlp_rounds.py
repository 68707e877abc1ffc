"""FedMLP in rounds: what it reduces to (M9 of its specification), what travels when (M10), and its preset."""

from __future__ import annotations

import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.data.examples import Examples
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedmlp import FedMLP
from tests.strategies.fedmlp_toys import F6, PLAIN, TARGET, P, batch_of, client_of, exact, tagged
from tests.toys import TOYS, Ended, Toy, federate, same

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
    assert set(down[0]) == {"prototypes", "valid", "tau", "prevalence"}


def test_m10_tags_stay_with_the_client_and_only_grow() -> None:
    earlier = federate(hiding(), FedMLP(warmup_rounds=1, min_tag=2, adaptive=False), rounds=2)
    later = federate(hiding(), FedMLP(warmup_rounds=1, min_tag=2, adaptive=False), rounds=4)
    for client in range(CLIENTS):
        before, after = (ended.memory(client)["fedmlp"]["tag"] for ended in (earlier, later))
        assert (after >= 0).sum() > (before >= 0).sum() > 0
        assert torch.equal(after[before >= 0], before[before >= 0])
        assert (after[:, [c for c in range(FINDINGS) if c != client]] == -1).all()


PRESETS = {
    "fedmlp_paper": {"prior": "images"},
    "missing_labels": {"negative_share": 0.0, "positive_share": 0.0, "min_tag": 0, "views": 1},
    "fedmlp_released": {
        "logit_adjustment": False,
        "consistency": False,
        "adaptive": False,
        "min_tag": 0,
        "min_count": 1,
    },
    "fedmlp_untagged": {"negative_share": 0.0, "positive_share": 0.0, "min_tag": 0},
    "logit_adjustment": {"trigger": "never", "views": 1, "distillation": False},
}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_change_what_they_say_and_no_more(preset: str) -> None:
    node = experiment_from([f"strategy={preset}"]).methods.members["fedmlp"]
    assert node == FedMLP(**PRESETS[preset])


def test_without_tags_only_weights_cross_and_stage_2_is_trained_as_if_none_was_found() -> None:
    untagged = federate(hiding(), FedMLP(warmup_rounds=1, **PRESETS["missing_labels"]), rounds=3)
    assert {name for _, name, _ in untagged.grid.recorded} == {"arrays"}
    assert not any(untagged.memory(client) for client in range(CLIENTS))
    nobody = federate(hiding(), FedMLP(warmup_rounds=1, views=1, coverage=1e-6), rounds=3)
    assert same(untagged.shared, nobody.shared)
    assert not same(untagged.shared, federate(hiding(), FedMLP(warmup_rounds=3, views=1), rounds=3).shared)


def test_logit_adjustment_alone_is_fedavg_on_shifted_logits() -> None:
    """With nothing missing and even priors it has the bits of FedAvg; nothing but weights ever crosses."""

    def even(held: Examples) -> Examples:
        return Examples(held.x, (torch.arange(len(held))[:, None] % 2).expand_as(held.y).float())

    toy = TOY
    for client in range(CLIENTS):
        toy = toy.with_train(client, even)
    adjusted = federate(toy, FedMLP(**PRESETS["logit_adjustment"]), rounds=3)
    assert same(adjusted.shared, federate(toy, FedAvg(), rounds=3).shared)
    hidden = federate(hiding(), FedMLP(**PRESETS["logit_adjustment"]), rounds=3)
    assert {name for _, name, _ in hidden.grid.recorded} == {"arrays"}
    assert not same(hidden.shared, federate(hiding(), FedAvg(), rounds=3).shared)


@pytest.mark.parametrize("clients_per_round", [None, 2])
def test_a_wanted_coverage_is_reached_as_the_run_ends(clients_per_round: int | None) -> None:
    method = FedMLP(warmup_rounds=1, coverage=0.75, min_tag=0, negative_share=0, positive_share=0, adaptive=False)
    ended = federate(hiding(), method, rounds=6, clients_per_round=clients_per_round)
    for client in range(CLIENTS):
        tag = ended.memory(client)["fedmlp"]["tag"][:, client]
        assert (tag >= 0).sum() <= 9
        assert clients_per_round or (tag >= 0).sum() == 9


@pytest.mark.parametrize(("round", "tags"), [(3, 6), (4, 12), (9, 42)])
def test_a_wanted_coverage_is_spread_over_the_rounds_of_stage_2(round: int, tags: int) -> None:
    """Of 60 missing entries seven in ten, in rounds 3 to 9."""
    found = tagged(exact(0, 0, coverage=0.7), F6.repeat(10, 1), round=round)
    assert sum(tag >= 0 for tag in found) == tags
