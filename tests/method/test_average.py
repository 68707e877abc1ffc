import pytest
import torch

from fedmed.method import Report, WeightedMean, average_of
from fedmed.method.average import largest


def test_the_mean_sums_weighted_terms_in_order_and_divides_once() -> None:
    terms = [(torch.tensor([0.1 * i, 1.0 / (i + 1)]), float(3 * i + 1)) for i in range(5)]
    mean = WeightedMean()
    total = torch.zeros(2)
    for tensor, weight in terms:
        mean.add({"w": tensor}, weight)
        total = torch.add(total, tensor, alpha=weight)
    assert torch.equal(mean.result()["w"], total / sum(weight for _, weight in terms))


def test_integers_take_the_maximum() -> None:
    mean = WeightedMean()
    for steps in (3, 9, 5):
        mean.add({"steps": torch.tensor(steps)}, 1.0)
    result = mean.result()["steps"]
    assert (result.item(), result.dtype) == (9, torch.int64)


def test_terms_may_be_overwritten_once_added_and_are_not_touched() -> None:
    mean, lent = WeightedMean(), {"w": torch.ones(2), "n": torch.tensor(1)}
    mean.add(lent, 1.0)
    assert lent["w"].tolist() == [1, 1]
    lent["w"].fill_(9), lent["n"].fill_(9)
    mean.add({"w": torch.full((2,), 3.0), "n": torch.tensor(2)}, 1.0)
    result = mean.result()
    assert result["w"].tolist() == [2, 2]
    assert result["n"] == 2
    assert lent["w"].tolist() == [9, 9]


def test_weights_that_are_all_zero_are_refused() -> None:
    mean = WeightedMean()
    mean.add({"w": torch.ones(1)}, 0.0)
    with pytest.raises(ZeroDivisionError, match="weights of all clients' models are 0"):
        mean.result()


def test_the_engines_mean_of_held_models_by_weights() -> None:
    reports = [_report(k, float(k), steps) for k, steps in enumerate((3, 9, 5))]
    mean = average_of(reports, torch.tensor([1.0, 0.0, 3.0], dtype=torch.float64))
    assert (mean["w"].item(), mean["steps"].item()) == (1.5, 9)
    assert {name: tensor.item() for name, tensor in largest(reports).items()} == {"steps": 9}


def _report(client: int, value: float, steps: int) -> Report:
    weights = {"w": torch.tensor([value]), "steps": torch.tensor(steps)}
    return Report(client=client, examples=1, loss=0.0, payload={}, weights=weights)
