from __future__ import annotations

import pytest

from fedmed.report import words


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test.auc", "test AUC"),
        ("client.worst.balanced_accuracy", "worst client balanced accuracy"),
        ("client.dice", "Dice on the client's test images"),
        ("domain.mean.iou", "domain mean IoU"),
        ("auc", "AUC"),
    ],
)
def test_a_metric_by_name(name: str, said: str) -> None:
    assert words.metric_name(name) == said


def test_a_minus_is_a_minus_sign_and_what_is_not_known_a_dash() -> None:
    assert words.value(-0.1234) == "\N{MINUS SIGN}0.123"
    assert words.signed(0.1234) == "+0.123"
    assert (words.value(None), words.signed(float("nan")), words.probability(None)) == ("-", "-", "-")


def test_an_interval_needs_both_ends() -> None:
    assert words.interval(0.1, 0.2) == "[0.100, 0.200]"
    assert words.interval(-0.1, 0.2, sign=True) == "[\N{MINUS SIGN}0.100, +0.200]"
    assert words.interval(None, 0.2) == words.interval(float("-inf"), 0.2) == ""


def test_small_probabilities_are_not_zero() -> None:
    assert (words.probability(0.0002), words.probability(0.049)) == ("< 0.001", "0.049")


@pytest.mark.parametrize(("items", "said"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_a_list(items: list[str], said: str) -> None:
    assert words.listed(items) == said
