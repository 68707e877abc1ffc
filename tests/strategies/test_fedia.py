"""The server's half of FedIA: shares, phases, triggers; what it refuses; its presets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.method import Report, Server, Setup
from fedmed.strategies.fedia import FedIA
from tests.toys import TOYS, TRAINING

PAPER: dict[str, Any] = {"trigger": "adele", "near": 0.0, "grow": "pixels"}
N = [626, 591, 570, 646]
BY_SIZE = [0.257296, 0.242910, 0.234279, 0.265516]


class Rounds:
    """A server that keeps its memory, fed with the clients' losses and completeness; rounds count from 1."""

    def __init__(self, method: FedIA, rounds: int = 40, clients: int = 4) -> None:
        self.method, self.rounds, self.state = method, rounds, dict[str, Any]()
        self.clients = tuple(range(clients))
        self.inbox: Mapping[str, torch.Tensor] = {}
        self.asked: dict[int, list[int]] = {}
        self.weighted: list[int] = []

    def run(
        self, round: int, losses: Mapping[int, float], completeness: Sequence[float], sizes: Sequence[int] = N
    ) -> list[float]:
        """Shares of the clients that took part, by the loss of each."""
        server = Server(
            round=round, rounds=self.rounds, seed=0, clients=self.clients, shared={}, state=self.state, name="fedia"
        )
        reports = [
            Report(client=k, examples=sizes[k], loss=0.0, payload=_payload(loss, completeness[k]), weights={})
            for k, loss in losses.items()
        ]
        weights = self.method.weights(server, reports)
        self.inbox = self.method.combine(server, reports)
        found: list[float] = (weights / weights.sum()).tolist()
        return found

    def due(self) -> list[int]:
        return torch.nonzero(self.inbox["due"])[:, 0].tolist()


def _payload(loss: float, completeness: float) -> dict[str, torch.Tensor]:
    values = {"loss": loss, "completeness": completeness}
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def loss_of(iou: float) -> float:
    return (1 - iou) / (1 + iou)


def test_warm_up_rounds_are_fedavg() -> None:
    """I4."""
    server = Rounds(FedIA(warmup_rounds=2))
    for round in (1, 2):
        assert server.run(round, dict.fromkeys(range(4), 0.2), [0.4, 0.6, 0.8, 0.85]) == pytest.approx(
            BY_SIZE, abs=1e-6
        )


def test_nothing_is_sent_down_before_the_warm_up_ends() -> None:
    server = Rounds(FedIA(warmup_rounds=2))
    server.run(1, {0: 0.2}, [0.5])
    assert server.inbox == {}
    server.run(2, {0: 0.2}, [0.5])
    assert server.inbox["share"].tolist() == [1, 0, 0, 0]
    assert server.due() == []


def test_weighted_rounds_go_by_completeness_and_loss_alone() -> None:
    """I3, I4: equal clients are equal whatever their sizes; complete ones with other losses are not FedAvg."""
    server = Rounds(FedIA(warmup_rounds=1, exempt_above=None, near=0.0))
    assert server.run(2, dict.fromkeys(range(4), 0.2), [0.5] * 4) == pytest.approx([0.25] * 4)
    server = Rounds(FedIA(warmup_rounds=1, exempt_above=None, near=0.0), clients=2)
    assert server.run(2, {0: 0.2, 1: 0.25}, [1, 1]) == pytest.approx([0.731059, 0.268941], abs=1e-6)
    losses = dict(enumerate([0.30, 0.25, 0.20, 0.15]))
    server = Rounds(FedIA(warmup_rounds=1))
    expected = [0.004436, 0.012890, 0.063844, 0.918831]
    assert server.run(2, losses, [0.4, 0.6, 0.8, 1.0]) == pytest.approx(expected, abs=1e-6)
    assert server.inbox["share"].tolist() == pytest.approx(expected, abs=1e-6)


def test_counts_count_where_asked() -> None:
    server = Rounds(FedIA(warmup_rounds=1, use_counts=True, temperature=1e12))
    assert server.run(2, dict.fromkeys(range(4), 0.2), [0.4, 0.6, 0.8, 0.85]) == pytest.approx(BY_SIZE, abs=1e-6)


def test_all_clients_exempt_is_fedavg_and_none_is_flagged() -> None:
    """C4."""
    server = Rounds(FedIA(warmup_rounds=1, trigger="fixed_round"))
    for round in range(1, 9):
        assert server.run(round, dict.fromkeys(range(4), 0.1 * round), [0.9, 1, 1, 1]) == pytest.approx(
            BY_SIZE, abs=1e-6
        )
    assert server.due() == []


@pytest.mark.parametrize(("until", "weighted"), [("corrected", range(4, 10)), ("flagged", range(4, 8))])
def test_schedule(until: Any, weighted: range) -> None:
    """I11: T = 3, hold = 1, flagged in t = 5 and t = 8, corrected in t = 6 and t = 9; t counts from 0."""
    found, due = schedule(FedIA(warmup_rounds=4, trigger="linear", hold=1, until=until, near=0.0), {0: 5, 1: 8})
    assert found == list(weighted)
    assert due == {5: [0], 8: [1]}


@pytest.mark.parametrize(("until", "weighted"), [("corrected", [4, 5]), ("flagged", [])])
def test_schedule_of_clients_flagged_at_once(until: Any, weighted: list[int]) -> None:
    """I11."""
    found, due = schedule(FedIA(warmup_rounds=4, trigger="linear", hold=1, until=until, near=0.0), {0: 4, 1: 4})
    assert found == weighted
    assert due == {4: [0, 1]}


def schedule(method: FedIA, drops: Mapping[int, int]) -> tuple[list[int], dict[int, list[int]]]:
    """Rounds that are weighted, and rounds after which corrections are due, counted from 0, of two clients whose IoU
    stays, but drops in the given rounds."""
    server, weighted, due = Rounds(method, clients=2), [], {}
    for t in range(12):
        losses = {k: loss_of(0.4 if t >= drop else 0.5) for k, drop in drops.items()}
        if server.run(t + 1, losses, [0.5, 0.5], [1, 3]) != [0.25, 0.75]:
            weighted.append(t)
            assert server.inbox["weighted"]
        if server.inbox and server.due():
            due[t] = server.due()
    return weighted, due


def test_the_linear_trigger_waits_for_its_margin() -> None:
    """I5: t = 4: gap .025; t = 5: gap .055."""
    server = Rounds(FedIA(warmup_rounds=4, trigger="linear", hold=1), clients=1)
    flagged = []
    for t, iou in enumerate([0.10, 0.20, 0.25, 0.35, 0.40, 0.45, 0.45]):
        server.run(t + 1, {0: loss_of(iou)}, [0.5])
        flagged.append(bool(server.inbox) and server.due() == [0])
    assert flagged == [False] * 5 + [True, False]


def test_iou_of_the_mean_dice() -> None:
    """I5."""
    server = Rounds(FedIA(), clients=1)
    for round, loss in enumerate([0.5, 0.25, 0.2], start=1):
        server.run(round, {0: loss}, [0.5])
    assert server.state["0"]["curve"].flatten().tolist() == pytest.approx([1, 1 / 3, 2, 0.6, 3, 2 / 3])


@pytest.mark.parametrize(("last", "fires"), [(2, 28), (5, 28), (10, 28), (30, 31)])
def test_the_slope_trigger_does_not_depend_on_the_warm_up(last: int, fires: int) -> None:
    """I10, section 5.4: IoU = .6 (1 - exp(-(t + 1) / 12))."""
    server = Rounds(FedIA(**PAPER, warmup_rounds=last + 1, hold=1), clients=1)
    assert first_due(server, lambda t: 0.6 * (1 - 2.718281828459045 ** (-(t + 1) / 12))) == fires


@pytest.mark.parametrize(("last", "fires"), [(2, 6), (5, 8), (10, 12), (30, 31)])
def test_the_line_leaves_any_saturating_curve(last: int, fires: int) -> None:
    """Section 5.4: the released trigger on the same curve."""
    server = Rounds(FedIA(warmup_rounds=last + 1, hold=1, trigger="linear"), clients=1)
    assert first_due(server, lambda t: 0.6 * (1 - 2.718281828459045 ** (-(t + 1) / 12))) == fires


def first_due(server: Rounds, iou: Any) -> int:
    for t in range(40):
        server.run(t + 1, {0: loss_of(iou(t))}, [0.5])
        if server.inbox and server.due():
            return t
    return -1


def test_hold_and_fixed_rounds() -> None:
    for fields, fires in (({"hold": 3}, 4), ({}, 5), ({"flag_round": 8}, 7)):
        server = Rounds(FedIA(warmup_rounds=2, trigger="fixed_round", **fields), clients=1)
        assert first_due(server, lambda t: 0.5) == fires


def test_never_keeps_all_rounds_weighted() -> None:
    server = Rounds(FedIA(warmup_rounds=1, trigger="never", near=0.0), clients=2)
    shares = [server.run(round, {0: 0.2, 1: 0.2}, [0.5, 0.7], [1, 3]) for round in range(1, 20)]
    assert shares[0] == [0.25, 0.75]
    assert all(share == pytest.approx([0.268941, 0.731059], abs=1e-6) for share in shares[1:])


def test_a_client_that_is_due_but_absent_keeps_the_rounds_weighted() -> None:
    server = Rounds(FedIA(warmup_rounds=1, trigger="fixed_round", hold=1, near=0.0), clients=2)
    for round, absent in ((1, False), (2, False), (3, True), (4, True), (5, False), (6, False)):
        present = {0: 0.2} if absent else {0: 0.2, 1: 0.2}
        shares = server.run(round, present, [0.5, 0.7], [1, 3])
        assert (0 in server.due(), 1 in server.due()) == (round == 2, 2 <= round <= 4)
        if not absent:
            assert (shares == [0.25, 0.75]) is (round in (1, 6))
    assert server.state["1"]["corrected"] == 5


def test_gaps_in_a_client_s_history() -> None:
    """The line goes through the rounds that the client took part in; with fewer than two of them none fires."""
    server = Rounds(FedIA(warmup_rounds=4, trigger="linear", hold=1), clients=2)
    for round, iou in ((1, 0.1), (4, 0.34), (5, 0.42), (6, 0.3)):
        server.run(round, {0: loss_of(iou)} | ({1: 0.3} if round >= 4 else {}), [0.5, 0.5])
    assert server.due() == [0]


def test_one_client_has_the_whole_share_in_every_phase() -> None:
    server = Rounds(FedIA(warmup_rounds=1, trigger="fixed_round", hold=1), clients=1)
    assert [server.run(round, {0: 0.2}, [0.5]) for round in range(1, 7)] == [[1.0]] * 6


def setup(task: str, rounds: int = 10, *, moves: bool = False) -> Setup:
    toy = TOYS[task]
    return Setup(task=toy.task, net=toy.net(), optimizer=TRAINING.optimizer, rounds=rounds, clients=3, moves=moves)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_other_tasks_are_refused(task: str) -> None:
    (fault,) = FedIA().check(setup(task))
    assert "segmentation for fedia" in str(fault)


def test_corrections_in_the_pass_refuse_moved_masks() -> None:
    (fault,) = FedIA(when="in_pass").check(setup("lesions", moves=True))
    assert str(fault).startswith("augment: ")
    assert FedIA(when="in_pass").check(setup("lesions")) == []
    assert FedIA(when="prepare").check(setup("lesions", moves=True)) == []


def test_more_warm_up_rounds_than_rounds_are_refused() -> None:
    (fault,) = FedIA(warmup_rounds=11).check(setup("lesions"))
    assert "at most rounds=10" in str(fault)


def test_as_many_warm_up_rounds_as_rounds_are_a_warning() -> None:
    with pytest.warns(UserWarning, match="all 10 rounds"):
        assert FedIA(warmup_rounds=10).check(setup("lesions")) == []


def test_incomplete_masks_is_fedia_as_it_is() -> None:
    assert experiment_from(["strategy=incomplete_masks"]).methods.members["fedia"] == FedIA()


def test_the_released_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = experiment_from(["strategy=fedia_released"]).methods.members["fedia"]
    expected = {
        "estimator": "batch",
        "trigger": "linear",
        "hold": 1,
        "until": "flagged",
        "when": "in_pass",
        "exempt_above": None,
        "clip": False,
        "empty": "keep",
        "grow": "pixels",
        "near": 0,
        "warmup_rounds": 31,
    }
    assert {name: getattr(chosen, name) for name in expected} == expected
    config = experiment_from(["experiment=fedia_paper", "dataset.path=none.npz"])
    optimizer = config.optimizer
    assert (optimizer.name, optimizer.lr, optimizer.weight_decay, optimizer.state) == ("adam", 1e-4, 5e-4, "reset")
    assert (config.rounds, config.epochs, config.batch_size, config.clients) == (300, 1, 4, 4)
