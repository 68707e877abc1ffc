"""FedEgoists in whole federations: who gains from whom is measured, coalitions are formed, and each is run alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.errors import UserError
from fedmed.flower import ServerState
from fedmed.method import Chain, Method, Report, Server, Setup, chain
from fedmed.server import Conditions, Failures
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedegoists import FedEgoists
from fedmed.strategies.fednpr import FedNPR
from fedmed.strategies.fedprox import FedProx
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, TRAINING, Ended, Held, Toy, classifier, federate, initial, multiclass, same

TOY = TOYS["multiclass"]


def noisy(rows: int, seed: int, turned: bool) -> Examples:
    """Images that a client alone learns badly; turned: with the next class as label."""
    given = multiclass(rows, seed)
    noise = torch.randn(given.x.shape, generator=torch.Generator().manual_seed(seed))
    return Examples(given.x + 1.5 * noise, (given.y + turned) % 3)


def relabelled(clients: int = 6) -> Toy:
    """Clients of whom the second half calls the classes otherwise."""

    def share(client: int) -> Held:
        turned, seed = client >= clients // 2, 100 * client
        train, val, test, own = (noisy(n, seed + part, turned) for part, n in enumerate((12, 12, 12, 40)))
        return Held(train, val, test, own_val=own)

    shares = tuple(share(client) for client in range(clients))
    return Toy(task=TOY.task, shares=shares, make=lambda: classifier(3, norm=False))


def memory(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = ended.progress.state["fedegoists"]
    return found


def groups(ended: Ended) -> list[tuple[int, ...]]:
    return [group.clients for group in ended.progress.groups]


TRUE = ("0+1+2", "3+4+5")


@pytest.mark.parametrize(("benefit", "threshold", "formed"), [("transfer", 0.02, 21), ("cosine", 0.15, 20)])
def test_two_label_conventions_are_found(benefit: Any, threshold: float, formed: int) -> None:
    method = FedEgoists(warmup=20, benefit=benefit, threshold=threshold, groups=TRUE)
    ended = federate(relabelled(), method, rounds=22)
    found = memory(ended)
    assert groups(ended) == [(0, 1, 2), (3, 4, 5)]
    assert found["partition"].tolist() == [0, 0, 0, 3, 3, 3]
    assert found["audit"]["rand"] == 1
    assert (found["audit"]["free_riders"], found["audit"]["conflicts"], found["audit"]["coalitions"]) == (0, 0, 2)
    assert found["formed"] == formed
    assert found["benefit"].shape == (6, 6)
    assert found["benefit"].diagonal().tolist() == [0] * 6
    assert torch.equal(found["edges"], found["benefit"] > threshold)
    assert {"models", "gains", "answered"}.isdisjoint(found), "what was kept for measuring is let go"
    assert found["utility"].tolist() == pytest.approx((found["benefit"] * found["edges"]).sum(0).tolist())


def test_the_gain_is_how_much_of_its_loss_a_client_loses_by_averaging_with_another() -> None:
    toy = relabelled(4)
    ended = federate(toy, FedEgoists(warmup=1, groups=("0+1", "2+3")), rounds=2)
    alone = federate(toy, FedEgoists(warmup=9, benefit="cosine"), rounds=1)
    models = [alone.progress.groups[k].shared for k in range(4)]
    for i, j in ((0, 1), (1, 0), (2, 3), (3, 2)):
        before = loss(toy, i, models[i])
        after = loss(toy, i, {n: (w + models[j][n]) / 2 for n, w in models[i].items()})
        assert memory(ended)["benefit"][j, i].item() == pytest.approx(max((before - after) / before, 0), abs=1e-5)


def loss(toy: Toy, client: int, weights: Any) -> float:
    net, own = toy.net(), toy.shares[client].own_val
    assert own is not None
    net.load_state_dict(weights)
    with torch.no_grad():
        return float(toy.task.loss(net.eval()(own.x), own.y, None))


@dataclass(frozen=True, kw_only=True)
class Parts(Method):
    """The coalitions, given from outside: everyone alone up to a round, then who is in which."""

    parts: tuple[tuple[int, ...], ...]
    alone: int

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
        parts = self.parts if server.round >= self.alone else tuple((client,) for client in server.clients)
        together = [[any({c, r.client} <= {*part} for part in parts) for r in reports] for c in server.clients]
        return torch.tensor(together, dtype=torch.float64)


@pytest.mark.parametrize("other", [FedAvg(), FedProx(), Scaffold(), FedNPR()], ids=lambda method: str(chain(method)))
def test_coalitions_are_federations_of_their_own_whatever_is_chained(other: Method) -> None:
    egoists = FedEgoists(warmup=2, benefit="oracle", groups=("0+2", "1"))
    one = federate(TOY, chain(egoists, other), rounds=4)
    plain = federate(TOY, chain(Parts(parts=((0, 2), (1,)), alone=2), other), rounds=4)
    assert groups(one) == [(0, 2), (1,)]
    for mine, theirs in zip(one.progress.groups, plain.progress.groups, strict=True):
        assert same(mine.shared, theirs.shared)
        assert same(dict(mine.inbox), dict(theirs.inbox))
    assert all(same(one.memory(client), plain.memory(client)) for client in range(3))


@pytest.mark.parametrize("other", [FedAvg(), FedProx(), Scaffold()], ids=lambda method: str(chain(method)))
def test_one_coalition_from_the_start_is_the_other_method(other: Method) -> None:
    egoists = FedEgoists(warmup=1, start="together", benefit="oracle", groups=("0+1+2",))
    one, plain = federate(TOY, chain(egoists, other), rounds=3), federate(TOY, other, rounds=3)
    assert same(one.progress.groups[0].shared, plain.shared)
    assert one.losses == plain.losses


def test_rivals_are_never_together_and_get_no_model_of_each_other_while_they_train_alone() -> None:
    method = FedEgoists(warmup=2, rivals=("0-1",), threshold=0.0)
    ended = federate(relabelled(), method, rounds=4)
    assert memory(ended)["benefit"][0, 1] == 0
    assert not any({0, 1} <= {*clients} for clients in groups(ended))
    sent = [tensors for way, name, tensors in ended.grid.recorded if way == "down" and name.endswith("fedegoists")]
    givers = [sorted({int(entry.split(".")[1]) for entry in tensors}) for tensors in sent if tensors]
    assert givers == [[2, 3, 4, 5], [2, 3, 4, 5], *([j for j in range(6) if j != i] for i in range(2, 6))]


def test_rivals_may_be_drawn_from_the_seed() -> None:
    method = FedEgoists(rival_share=0.5)
    few, many = method._rivals(4, 1), method._rivals(9, 1)
    assert np.array_equal(few, many[:4, :4])
    assert np.array_equal(many, many.T)
    assert not many.diagonal().any()
    assert 8 < many.sum() < 64
    assert not np.array_equal(many, method._rivals(9, 2))
    assert FedEgoists(rival_share=1.0)._rivals(3, 0).sum() == 6


@dataclass(frozen=True, kw_only=True)
class Silent(Failures):
    """Clients that drop out of rounds."""

    silent: dict[int, tuple[int, ...]]

    def lost(self, asked: Sequence[int], *, seed: int, round: int) -> list[int]:
        return [client for client in asked if round in self.silent.get(client, ())]


def test_a_client_that_never_answers_is_waited_for_as_long_again_and_stays_alone() -> None:
    conditions = Conditions(failures=Silent(silent={1: tuple(range(1, 99))}))
    method = FedEgoists(warmup=2, benefit="cosine")
    early, late = (federate(TOY, method, rounds=rounds, conditions=conditions) for rounds in (3, 5))
    assert "partition" not in memory(early)
    assert memory(late)["formed"] == 4
    assert memory(late)["partition"].tolist() == [0, 1, 0]
    assert memory(late)["benefit"][1].tolist() == memory(late)["benefit"][:, 1].tolist() == [0, 0, 0]


def test_who_answers_late_is_waited_for_and_asked_again_for_its_gains() -> None:
    conditions = Conditions(failures=Silent(silent={2: (1, 2, 3)}))
    ended = federate(relabelled(4), FedEgoists(warmup=3, threshold=0.0), rounds=7, conditions=conditions)
    assert memory(ended)["formed"] == 5
    gains = memory(ended)["benefit"]
    assert gains[:, 2].sum() > 0, "what it gains has been measured"


def test_a_coalition_of_which_nobody_answers_keeps_its_model() -> None:
    conditions = Conditions(failures=Silent(silent={1: (4,)}))
    method = FedEgoists(warmup=2, benefit="oracle", groups=("0+2", "1"))
    before, after = (federate(TOY, method, rounds=rounds, conditions=conditions) for rounds in (3, 4))
    (_, kept), (_, left) = before.progress.groups, after.progress.groups
    assert same(kept.shared, left.shared)


def test_coalitions_are_formed_anew() -> None:
    method = FedEgoists(warmup=2, reform=3, threshold=0.05)
    ended = federate(relabelled(), method, rounds=8)
    assert memory(ended)["formed"] == 7
    assert "models" in memory(federate(relabelled(), method, rounds=7 - 1))


def test_core_stable_coalitions(tmp_path: Path) -> None:
    file = tmp_path / "gains.csv"
    file.write_text("0,0,3,1\n2,0,2,1\n0,2,0,0\n0,3,1,0\n", encoding="utf-8")
    toy = relabelled(4)
    found = {}
    for formation in ("merge", "core"):
        method = FedEgoists(warmup=1, benefit="file", path=str(file), rivals=("0-3",), formation=formation)  # type: ignore[arg-type]
        found[formation] = memory(federate(toy, method, rounds=2))
    assert found["merge"]["partition"].tolist() == [0, 0, 0, 3]
    assert found["merge"]["audit"]["blocking"] == 1
    assert found["core"]["audit"]["blocking"] == 0


def test_a_free_rider_stays_alone() -> None:
    riding = noisy(4, 9, turned=False)
    random = Examples(riding.x, torch.tensor([2, 0, 1, 0]))
    alike = relabelled(6).shares[:3]
    toy = replace(relabelled(), shares=(*alike, replace(alike[0], train=random, own_val=noisy(40, 8, turned=False))))
    ended = federate(toy, FedEgoists(warmup=20), rounds=22)
    assert groups(ended) == [(0, 1, 2), (3,)]
    gains = memory(ended)["benefit"]
    assert gains[:3, 3].min() > 0.02, "it would gain"
    assert gains[3, :3].max() < gains[:3, :3].max() / 2, "and gives little"


def setup(clients: int = 3, rounds: int = 9) -> Setup:
    return Setup(task=TOY.task, net=TOY.net(), optimizer=TRAINING.optimizer, rounds=rounds, clients=clients)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"warmup": 9}, "strategy.warmup: expected fewer than rounds=9, got 9. Lower it"),
        ({"rivals": ("0-4",)}, "strategy.rivals: expected clients 0 to 2, got 4."),
        ({"groups": ("0+7",)}, "strategy.groups: expected clients 0 to 2, got 7."),
        ({"benefit": "file", "path": "no.csv"}, "strategy.path: expected a file of gains, got no.csv:"),
    ],
)
def test_what_cannot_be_is_refused_before_training(fields: Any, says: str) -> None:
    faults = chain(FedEgoists(**fields)).check(setup())
    assert [str(fault) for fault in faults if says in str(fault)], [*map(str, faults)]


@pytest.mark.parametrize(
    ("text", "got"), [("1,2\n3,4\n", "2 of 2"), ("0,1,-1\n" * 3, "-1.0 to 1.0"), ("a,b,c\n", "could not convert")]
)
def test_files_of_gains_that_are_none_are_refused(tmp_path: Path, text: str, got: str) -> None:
    file = tmp_path / "gains.csv"
    file.write_text(text, encoding="utf-8")
    (fault,) = chain(FedEgoists(benefit="file", path=str(file))).check(setup())
    assert got in str(fault)


def test_core_is_for_few_clients() -> None:
    (fault,) = chain(FedEgoists(formation="core")).check(setup(11))
    assert "at most 10 clients for core, got 11" in str(fault)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rivals": ("0-0",)}, r"pairs of two clients, as in \[0-4,1-2\], got 0-0"),
        ({"rivals": ("a-b",)}, "pairs of two clients"),
        ({"groups": ("0+1", "1+2")}, "groups of clients, each in one"),
        ({"rivals": ("0-1",), "rival_share": 0.5}, "0 where rivals are named, got 0.5"),
        ({"benefit": "file"}, "a CSV file of gains for benefit=file, got None"),
        ({"path": "x.csv"}, "null for transfer, got x.csv"),
        ({"benefit": "oracle"}, "groups for benefit=oracle, got none"),
    ],
)
def test_options_that_do_not_fit_are_refused(fields: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        FedEgoists(**fields)


def test_what_a_run_should_know_is_said_once() -> None:
    with pytest.warns(UserWarning, match="all train alone"):
        FedEgoists(rivals=("0-1", "0-2", "1-2")).check(setup())
    with pytest.warns(UserWarning, match="models reach rivals in the warm-up"):
        FedEgoists(start="together", rivals=("0-1",)).check(setup())


def test_only_transfer_looks_at_validation_images() -> None:
    def needs(method: Method | Chain) -> bool:
        return chain(method).needs_val

    assert needs(FedEgoists())
    assert not needs(FedEgoists(benefit="cosine"))
    assert needs(chain(FedEgoists(), FedProx()))


def test_all_that_is_recorded_survives_a_checkpoint() -> None:
    ended = federate(relabelled(4), FedEgoists(warmup=1), rounds=3)
    again = ServerState()
    again.restore(3, ended.progress.kept())
    assert same(again.kept(), ended.progress.kept())
    assert re.fullmatch("[0-9+]+", ended.progress.groups[0].label)
    assert not same(dict(ended.progress.groups[0].shared), initial(relabelled(4), FedEgoists(warmup=1)))
