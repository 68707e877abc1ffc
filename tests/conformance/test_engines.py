"""Engines that must agree to the last bit."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from fedmed.engine.threads import ThreadsEngine
from fedmed.method import Method
from tests.conformance.cases import Case
from tests.conformance.fresh import Bits, bits, crowd, crowded, pooled
from tests.lending import Lending
from tests.toys import federate, grid_of, same, trainer_of


@pytest.fixture(scope="module")
def fresh() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


OPTIONS = {"rounds": 3, "clients_per_round": 2, "seed": 1, "by_clients": True, "adapted": True}


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_pool_has_the_bits_of_one_process(
    case: Case, method: Method, fresh: ProcessPoolExecutor, workers: int
) -> None:
    assert_equal(fresh.submit(pooled, case, workers, **OPTIONS).result(), bits(federate(case.toy, method, **OPTIONS)))


def test_a_pool_of_one_worker_has_the_bits_of_one_process(
    home: Case, method: Method, fresh: ProcessPoolExecutor
) -> None:
    assert_equal(fresh.submit(pooled, home, 1, **OPTIONS).result(), bits(federate(home.toy, method, **OPTIONS)))


def test_a_crowd_on_two_workers_of_which_one_dies_has_the_bits_of_one_process(
    home: Case, method: Method, fresh: ProcessPoolExecutor
) -> None:
    expected = bits(federate(crowd(home.toy), method, rounds=3, seed=1))
    assert_equal(fresh.submit(crowded, home, rounds=3, seed=1).result(), expected)


def test_nothing_that_was_lent_is_kept(case: Case, method: Method) -> None:
    got = federate(case.toy, method, grid=grid_of(case.toy, method, seed=1, kind=Lending), **OPTIONS)
    assert_equal(bits(got), bits(federate(case.toy, method, **OPTIONS)))


def test_threads_have_the_bits_of_one(case: Case, method: Method) -> None:
    with ThreadsEngine(workers=2).grid(trainer_of(case.toy, method, seed=1), len(case.toy.shares)) as grid:
        got = bits(federate(case.toy, method, grid=grid, **OPTIONS))
    assert_equal(got, bits(federate(case.toy, method, **OPTIONS)))


def assert_equal(got: Bits, expected: Bits) -> None:
    assert list(map(str, got.losses)) == list(map(str, expected.losses))
    assert same(got.shared, expected.shared)
    assert same(got.server, expected.server)
    assert same(dict(enumerate(got.clients)), dict(enumerate(expected.clients)))
