"""The clients' half of FedIA: loss, estimate, corrections, audit."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmed.data.examples import Examples
from fedmed.errors import UserError
from fedmed.method import Batch, Client, chain
from fedmed.models.net import Net
from fedmed.strategies._fedia_round import ClientRound
from fedmed.strategies.fedia import FedIA
from fedmed.tasks import Segmentation
from tests.strategies.handmade import client_amid_round

P = torch.tensor([[[0.9, 0.7, 0.55, 0.8], [0.05, 0.9, 0.85, 0.4]]])
Y = torch.tensor([[[0, 0, 0, 1], [1, 0, 1, 0]]], dtype=torch.uint8)


def logits_of(p: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(p), p.logit()], 1)


def client_of(
    y: Tensor,
    p: Tensor,
    *,
    seen: Tensor | None = None,
    round: int = 1,
    due: int = 0,
    state: dict[str, Any] | None = None,
    logits: Tensor | None = None,
) -> Client:
    """A client in one of nine rounds, whose model predicts p (N, H, W) whatever comes; logits: of several classes."""
    logits = logits_of(p) if logits is None else logits
    given = Examples(torch.zeros(len(y), 1, *y.shape[1:]), y, seen)
    net = Net(nn.Identity(), nn.Identity())
    return client_amid_round(
        "fedia",
        Segmentation(classes=logits.shape[1]),
        given,
        net,
        id=0,
        round=round,
        features=p,
        logits=logits,
        inbox={"due": torch.tensor([due]), "share": torch.tensor([0.25]), "weighted": torch.tensor(True)},
        state=state or {},
    )


def batch_of(p: Tensor, y: Tensor, seen: Tensor | None = None, index: Tensor | None = None) -> Batch:
    logits = logits_of(p).requires_grad_()
    return Batch(p[:, None], y, seen, torch.arange(len(y)) if index is None else index, p[:, None], logits)


def loss_of(method: FedIA, p: Tensor, y: Tensor, seen: Tensor | None = None) -> tuple[float, float, float]:
    """Loss, largest gradient, and the L_k that is reported."""
    client, batch = client_of(y, p, seen=seen), batch_of(p, y, seen)
    method.prepare(client)
    loss = method.loss(client, batch)
    loss.backward()
    assert batch.logits.grad is not None
    return loss.item(), batch.logits.grad.abs().max().item(), float(method.report(client)["loss"])


def test_loss_is_one_minus_mean_dice() -> None:
    """I1."""
    p, y = torch.tensor([[[0.9, 0.2], [0.1, 0.8]]]), torch.tensor([[[1, 0], [0, 1]]], dtype=torch.uint8)
    loss, gradient, reported = loss_of(FedIA(), p, y)
    assert loss == pytest.approx(0.1500212, abs=1e-6)
    assert reported == pytest.approx(loss)
    assert gradient > 0


def test_empty_masks_have_loss_one_and_teach_nothing_where_kept() -> None:
    """I1, section 8 row 1."""
    p, y = torch.full((1, 2, 2), 0.3), torch.zeros(1, 2, 2, dtype=torch.uint8)
    assert loss_of(FedIA(empty="keep"), p, y) == (1, 0, 1)
    assert loss_of(FedIA(empty="keep", smooth=1.0), p, y)[1] > 0


def test_empty_masks_are_skipped() -> None:
    p = torch.stack([P[0], torch.full((2, 4), 0.3)])
    y = torch.stack([Y[0], torch.zeros_like(Y[0])])
    alone = loss_of(FedIA(), P, Y)
    assert loss_of(FedIA(), p, y) == pytest.approx(alone)
    assert loss_of(FedIA(empty="keep"), p, y)[0] == pytest.approx((alone[0] + 1) / 2)
    assert loss_of(FedIA(), p[1:], y[1:]) == (0, 0, 1)


def test_pixels_that_nobody_annotated_do_not_count() -> None:
    seen = torch.ones_like(Y, dtype=torch.bool)
    seen[0, 0] = False
    assert loss_of(FedIA(), P, Y * seen, seen)[0] == pytest.approx(loss_of(FedIA(), P[:, 1:], Y[:, 1:])[0])


def test_the_reported_loss_is_of_dice_whatever_is_trained_on() -> None:
    method, client, batch = FedIA(supervised="base"), client_of(Y, P), batch_of(P, Y)
    method.prepare(client)
    assert chain(method).has("loss") is False
    assert method.penalty(client, batch) == 0
    assert float(method.report(client)["loss"]) == pytest.approx(loss_of(FedIA(), P, Y)[0])


DOTS_Y = [[(1, 1), (3, 3)], [(1, 1)]]
DOTS_P = [[(1, 1), (3, 3), (1, 3)], [(1, 1), (3, 3)]]


def dots(images: list[list[tuple[int, int]]]) -> Tensor:
    drawn = torch.zeros(len(images), 5, 5, dtype=torch.uint8)
    for image, pixels in enumerate(images):
        for row, column in pixels:
            drawn[image, row, column] = 1
    return drawn


def indicator(method: FedIA, y: Tensor, shown: Tensor, **known: Any) -> float:
    """The completeness that is reported as the warm-up of one round ends."""
    p = 0.05 + 0.9 * shown.float()
    client = client_of(y, p, **known)
    method.prepare(client)
    method.loss(client, batch_of(p, y, known.get("seen")))
    return float(method.report(client)["completeness"])


@pytest.mark.parametrize(("estimator", "expected"), [("image", 0.6), ("mean_of_ratios", 0.583333), ("batch", 0.666667)])
def test_indicator(estimator: Any, expected: float) -> None:
    """I2."""
    method = FedIA(warmup_rounds=1, estimator=estimator)
    assert indicator(method, dots(DOTS_Y), dots(DOTS_P)) == pytest.approx(expected, abs=1e-6)
    assert indicator(method, dots(DOTS_P), dots(DOTS_P)) == 1


def test_indicator_is_bounded() -> None:
    y, shown, none = dots(DOTS_P), dots(DOTS_Y), dots([[], []])
    assert indicator(FedIA(warmup_rounds=1), y, shown) == 1
    assert indicator(FedIA(warmup_rounds=1, clip=False), y, shown) == pytest.approx(5 / 3)
    assert indicator(FedIA(warmup_rounds=1), none, shown) == 0.05
    for estimator in ("image", "mean_of_ratios", "batch"):
        with pytest.warns(UserWarning, match="no lesion predicted"):
            assert indicator(FedIA(warmup_rounds=1, estimator=estimator), y, none) == 1


def test_indicator_looks_at_annotated_pixels_only() -> None:
    seen = torch.ones(2, 5, 5, dtype=torch.bool)
    seen[:, :, 3:] = False
    assert indicator(FedIA(warmup_rounds=1), dots(DOTS_Y) * seen, dots(DOTS_P), seen=seen) == 1


def test_a_client_that_missed_the_end_of_the_warm_up_estimates_when_next_asked() -> None:
    for round, known in ((1, False), (2, True), (5, True)):
        client = client_of(dots(DOTS_Y), dots(DOTS_P) * 0.9 + 0.05, round=round)
        method = FedIA(warmup_rounds=2)
        method.prepare(client)
        assert ("completeness" in method.report(client)) is known


def test_completeness_is_estimated_once_and_not_before_the_warm_up_ends() -> None:
    for estimator in ("image", "batch"):
        for warmup, round, state in ((2, 3, {"completeness": 0.25}), (9, 8, {})):
            client = client_of(Y, P, round=round, state=state)
            FedIA(warmup_rounds=warmup, estimator=estimator).prepare(client)
            assert client.kept(ClientRound).counts is None
            assert client.state == state


PIXELS = FedIA(grow="pixels")


def corrected(method: FedIA, **known: Any) -> Client:
    client = client_of(Y, P, round=4, due=1, **{"state": {"completeness": 0.3}, **known})
    method.prepare(client)
    return client


def test_masks_are_corrected_when_due() -> None:
    """I6."""
    client = corrected(FedIA(threshold=0.8, grow="pixels"))
    assert client.train.y[0].tolist() == [[1, 0, 0, 1], [1, 1, 1, 0]]
    assert client.state["pixels"].tolist() == [0, 5]
    assert client.given.y.equal(Y)
    assert corrected(FedIA(threshold=1.0)).train.y.equal(Y)


def test_the_adaptive_threshold() -> None:
    """min(a_k + .4, threshold) = .7, strict."""
    known = {"state": {"completeness": 0.2}}
    assert corrected(FedIA(adaptive=True, grow="pixels"), **known).state["pixels"].tolist() == [0, 1, 5]
    assert corrected(FedIA(adaptive=True, grow="pixels"), state={"completeness": 0.6}).state["pixels"].tolist() == [
        0,
        5,
    ]


def test_corrections_are_found_once_and_put_in_force_every_round() -> None:
    client = client_of(Y, P, round=5, due=1, state={"completeness": 0.3, "asked": 1, "pixels": torch.tensor([2])})
    FedIA().prepare(client)
    assert client.train.y[0].tolist() == [[0, 0, 1, 1], [1, 0, 1, 0]]
    assert client.state["pixels"].tolist() == [2]


def test_whole_objects_are_added_that_touch_no_annotated_one() -> None:
    """One sure pixel is apart from annotated ones, and grows by its neighbour above one half."""
    p = torch.tensor([[[0.9, 0.6, 0.1, 0.8], [0.05, 0.1, 0.85, 0.4]]])
    y = torch.tensor([[[0, 0, 0, 1], [0, 0, 1, 0]]], dtype=torch.uint8)
    client = client_of(y, p, round=4, due=1, state={"completeness": 0.3})
    FedIA().prepare(client)
    assert client.state["pixels"].tolist() == [0, 1]


def test_a_second_search_starts_from_the_given_masks() -> None:
    state = {"completeness": 0.3, "asked": 1, "pixels": torch.tensor([2])}
    client = client_of(Y, P, round=5, due=2, state=state)
    PIXELS.prepare(client)
    assert client.state["pixels"].tolist() == [0, 5]


def test_a_client_that_turns_out_complete_keeps_its_masks() -> None:
    """Without a fixed warm-up the estimate is made in the round that corrections are due in."""
    y = dots(DOTS_P)
    client = client_of(y, 0.05 + 0.9 * y.float(), round=4, due=1)
    FedIA().prepare(client)
    assert client.state["completeness"] == 1
    assert "pixels" not in client.state
    client = client_of(dots(DOTS_Y), 0.05 + 0.9 * y.float(), round=4, due=1)
    FedIA().prepare(client)
    assert client.state["completeness"] == pytest.approx(0.6)
    assert client.state["pixels"].tolist() == [8, 43]


def test_unannotated_pixels_are_not_corrected() -> None:
    seen = torch.ones_like(Y, dtype=torch.bool)
    seen[0, 0, 0] = False
    assert corrected(PIXELS, seen=seen).state["pixels"].tolist() == [5]


def test_corrections_in_the_pass_come_into_force_after_it() -> None:
    """Section 5.4: the loss of a step still uses the old mask; the second pass of the round corrects nothing more."""
    two, method = torch.cat([Y, Y]), FedIA(when="in_pass", grow="pixels")
    client = client_of(two, torch.cat([P, P]), round=4, due=1, state={"completeness": 0.3})
    method.prepare(client)
    for row in (0, 1):
        assert client.train.y.equal(two)
        method.loss(client, batch_of(P, Y, index=torch.tensor([row])))
    new = client.train.y[:1]
    assert new[0].tolist() == [[1, 0, 0, 1], [1, 1, 1, 0]]
    method.loss(client, batch_of(torch.full_like(P, 0.99), new, index=torch.tensor([0])))
    method.report(client)
    assert client.state["pixels"].tolist() == [0, 5, 8, 13]


def test_predictions_that_are_not_finite_are_named() -> None:
    with pytest.raises(UserError, match="client 0, round 3, stage prepare"):
        FedIA(warmup_rounds=2).prepare(client_of(Y, torch.full_like(P, float("nan")), round=3))


def test_audit() -> None:
    truth = torch.tensor([[[1, 1, 0, 1], [1, 0, 1, 0]]], dtype=torch.uint8)
    method, client = PIXELS, corrected(PIXELS, state={"completeness": 0.3})
    assert method.audit(client, truth) == pytest.approx(
        {
            "corrected": 1,
            "pixels": 2,
            "indicator": 0.3,
            "share": 0.25,
            "share.weighted": 0.25,
            "added.precision": 0.5,
            "added.recall": 0.5,
            "mask.precision": 4 / 5,
            "mask.recall": 4 / 5,
        }
    )
    assert "added.precision" not in method.audit(client_of(Y, P), truth)


def test_masks_of_several_classes_get_the_predicted_class() -> None:
    """One pixel of class 2 is added; the annotated one of class 1 stays, whatever is predicted there."""
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 0], logits[0, 2, 0, 0], logits[0, 2, 1, 1] = 1, 9, 9
    y = torch.tensor([[[0, 0], [0, 1]]], dtype=torch.uint8)
    client = client_of(y, torch.zeros(1, 2, 2), round=4, due=1, state={"completeness": 0.3}, logits=logits)
    FedIA().prepare(client)
    assert client.train.y.tolist() == [[[2, 0], [0, 1]]]
