"""FedIA without a fixed warm-up: it waits for the knee of the learning curves, and says so where that never comes."""

from collections.abc import Sequence

import pytest
import torch

from fedmed.strategies._learning_curves import past_knee
from fedmed.strategies.fedia import FedIA
from tests.strategies.test_fedia import BY_SIZE, Rounds, loss_of


def s_curve(middle: float) -> list[float]:
    """IoU by round, 40 of them, half of its .6 in round `middle`."""
    return [0.6 / (1 + 2.718281828459045 ** (-(t - middle) / 2)) for t in range(1, 41)]


def knees(
    method: FedIA, middles: Sequence[float], rounds: int = 40, completeness: Sequence[float] = (0.5,) * 4
) -> Rounds:
    """A server after all rounds; who is due after which is in `asked`, which rounds were weighted in `weighted`."""
    server = Rounds(method, rounds, clients=len(middles))
    curves = [s_curve(middle) for middle in middles]
    for t in range(1, rounds + 1):
        shares = server.run(t, {k: loss_of(of[t - 1]) for k, of in enumerate(curves)}, completeness)
        if server.inbox and server.due():
            server.asked[t] = server.due()
        if server.inbox and server.inbox["weighted"]:
            server.weighted.append(t)
            assert shares != pytest.approx(BY_SIZE, abs=1e-3)
    return server


def knee(middle: float) -> int:
    of = torch.tensor([[t, iou] for t, iou in enumerate(s_curve(middle), start=1)], dtype=torch.float64)
    return next(t for t in range(1, 41) if past_knee(of[:t], 4, 0.9))


def test_the_warm_up_ends_when_more_than_half_of_the_clients_are_past_their_knee() -> None:
    """Four clients: with the third knee; who is past it is corrected in the next round, the last at its own knee."""
    server = knees(FedIA(), [8, 9, 10, 14])
    assert server.asked == {knee(10): [0, 1, 2], knee(14): [3]}
    assert knee(8) < knee(9) < knee(10) < knee(14)


def test_nothing_is_sent_while_the_knee_is_ahead() -> None:
    server = knees(FedIA(), [60] * 4)
    assert server.inbox == {}


def test_rounds_are_weighted_only_where_a_client_is_near_complete() -> None:
    method = FedIA(trigger="never")
    assert knees(method, [8] * 4, completeness=[0.2, 0.3, 0.5, 0.79]).weighted == []
    weighted = knees(method, [8] * 4, completeness=[0.2, 0.3, 0.5, 0.8]).weighted
    assert weighted == list(range(knee(8) + 1, 41))


def test_a_second_correction_is_asked_once() -> None:
    server = knees(FedIA(again=5), [8] * 4)
    assert server.asked == {knee(8): [0, 1, 2, 3], knee(8) + 6: [0, 1, 2, 3]}
    assert server.state["0"]["corrected"] == knee(8) + 1


def test_an_estimate_on_a_rising_curve_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="while learning curves rise"):
        knees(FedIA(warmup_rounds=6), [10] * 4, rounds=7)


def test_a_run_in_which_no_mask_was_corrected_is_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    knees(FedIA(trigger="never"), [60] * 4)
    knees(FedIA(), [8] * 4)
    assert len(recwarn) == 0
    with pytest.warns(UserWarning, match="no mask was corrected"):
        knees(FedIA(), [60] * 4)
