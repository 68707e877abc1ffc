import math

import pytest

from fedmed.results.text import clock, count, number, percent, short, size, some, span


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (number(0.84349), "0.843"),
        (number(23.456), "23.5"),
        (number(1234), "1,234"),
        (number(None), "-"),
        (number(math.nan), "-"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(66_200_000), "66.2 MB"),
        (size(3.2e15), "3200.0 TB"),
        (span(0.0431), "43 ms"),
        (span(1.239), "1.24 s"),
        (span(24.13), "24.1 s"),
        (span(125), "2:05 min"),
        (some(["a", "b"]), "a, b"),
        (some(["a", "b", "c"], most=2), "a, b and 1 more"),
        (span(3725), "1:02:05 h"),
        (clock(19.4), "0:19"),
        (clock(3600), "1:00:00"),
        (count(1, "client"), "1 client"),
        (count(1000, "client"), "1,000 clients"),
        (percent(0.634), "63 %"),
        (percent(math.nan), "-"),
        (short(9999), "9999"),
        (short(12_345), "12.3k"),
        (short(123_456), "123k"),
        (short(20_000), "20k"),
        (short(1_234_567), "1.2M"),
    ],
)
def test_numbers_as_people_read_them(got: str, expected: str) -> None:
    assert got == expected
