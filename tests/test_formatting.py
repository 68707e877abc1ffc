import math

import pytest

from fedmed import formatting
from fedmed.formatting import byte_size, clock, compact_count, count, duration, first_few, number, percent


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (number(0.84349), "0.843"),
        (number(23.456), "23.5"),
        (number(1234), "1,234"),
        (number(None), "-"),
        (number(math.nan), "-"),
        (byte_size(0), "0 B"),
        (byte_size(999), "999 B"),
        (byte_size(66_200_000), "66.2 MB"),
        (byte_size(3.2e15), "3200.0 TB"),
        (duration(0.0431), "43 ms"),
        (duration(1.239), "1.24 s"),
        (duration(24.13), "24.1 s"),
        (duration(125), "2:05 min"),
        (first_few(["a", "b"]), "a, b"),
        (first_few(["a", "b", "c"], most=2), "a, b and 1 more"),
        (duration(3725), "1:02:05 h"),
        (clock(19.4), "0:19"),
        (clock(3600), "1:00:00"),
        (count(1, "client"), "1 client"),
        (count(1000, "client"), "1,000 clients"),
        (percent(0.634), "63 %"),
        (percent(math.nan), "-"),
        (compact_count(9999), "9999"),
        (compact_count(12_345), "12.3k"),
        (compact_count(123_456), "123k"),
        (compact_count(20_000), "20k"),
        (compact_count(1_234_567), "1.2M"),
    ],
)
def test_numbers_as_people_read_them(got: str, expected: str) -> None:
    assert got == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test.auc", "test AUC"),
        ("client.worst.balanced_accuracy", "worst client balanced accuracy"),
        ("client.dice", "Dice on the client's test images"),
        ("domain.mean.iou", "domain mean IoU"),
        ("auc", "AUC"),
    ],
)
def test_a_metric_by_name(name: str, message: str) -> None:
    assert formatting.metric_name(name) == message


def test_a_minus_is_a_minus_sign_and_what_is_not_known_a_dash() -> None:
    assert formatting.value(-0.1234) == "\N{MINUS SIGN}0.123"
    assert formatting.signed(0.1234) == "+0.123"
    assert (formatting.value(None), formatting.signed(float("nan")), formatting.p_value_text(None)) == ("-", "-", "-")


def test_an_interval_needs_both_ends() -> None:
    assert formatting.interval(0.1, 0.2) == "[0.100, 0.200]"
    assert formatting.interval(-0.1, 0.2, sign=True) == "[\N{MINUS SIGN}0.100, +0.200]"
    assert formatting.interval(None, 0.2) == formatting.interval(float("-inf"), 0.2) == ""


def test_small_probabilities_are_not_zero() -> None:
    assert (formatting.p_value_text(0.0002), formatting.p_value_text(0.049)) == ("< 0.001", "0.049")


@pytest.mark.parametrize(("items", "message"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_a_list(items: list[str], message: str) -> None:
    assert formatting.joined(items) == message
