"""Engines that must agree to the last bit."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from fedmed.method import Method
from tests.conformance.cases import Case
from tests.conformance.fresh import bits, pooled
from tests.toys import federate, same


@pytest.fixture(scope="session")
def fresh() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize("workers", [1, 2])
def test_a_pool_has_the_bits_of_one_process(
    case: Case, method: Method, fresh: ProcessPoolExecutor, workers: int
) -> None:
    options = {"rounds": 3, "clients_per_round": 2, "seed": 1, "evaluate_clients": True, "adapted": True}
    got = fresh.submit(pooled, case, workers, **options).result()
    expected = bits(federate(case.toy, method, **options))
    assert same(dict(enumerate(map(str, got.losses))), dict(enumerate(map(str, expected.losses))))
    assert same(got.shared, expected.shared)
    assert same(got.server, expected.server)
    assert same(dict(enumerate(got.clients)), dict(enumerate(expected.clients)))
