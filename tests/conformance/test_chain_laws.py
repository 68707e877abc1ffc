"""The laws of `chain`, for every strategy beside FedProx."""

import pytest

from fedmed.method import Chain, Method, chain
from fedmed.strategies.fedavg import FedAvg
from fedmed.strategies.fedbn import FedBN
from fedmed.strategies.fedper import FedPer
from fedmed.strategies.fedprox import FedProx
from tests.conformance.cases import Case
from tests.toys import Ended, federate, same

PLAIN, NEUTRAL, STRONG = FedAvg(), FedProx(mu=0.0), FedProx(mu=1.0)


@pytest.fixture
def alone(home: Case, method: Method) -> Ended:
    return federate(home.toy, method, rounds=3)


@pytest.mark.parametrize("first", [True, False])
def test_fedavg_is_neutral(home: Case, method: Method, alone: Ended, first: bool) -> None:
    if home.name == "fedavg":
        pytest.skip("a method is a member once")
    assert_same(federate(home.toy, _both(PLAIN, method, first), rounds=3), alone, home.name)


@pytest.mark.parametrize("first", [True, False])
def test_a_neutral_member_changes_no_bit(home: Case, method: Method, alone: Ended, first: bool) -> None:
    _need_fedprox_apart(home)
    assert_same(federate(home.toy, _both(NEUTRAL, method, first), rounds=3), alone, home.name)


@pytest.mark.parametrize("first", [True, False])
def test_a_strong_member_changes_some(home: Case, method: Method, alone: Ended, first: bool) -> None:
    _need_fedprox_apart(home)
    assert not same(federate(home.toy, _both(STRONG, method, first), rounds=3).shared, alone.shared)


def test_associative(home: Case, method: Method) -> None:
    _need_fedprox_apart(home)
    third = FedPer() if home.name == "fedbn" else FedBN()
    left = federate(home.toy, chain(chain(STRONG, method), third), rounds=3)
    right = federate(home.toy, chain(STRONG, chain(method, third)), rounds=3)
    assert_same(left, right, home.name)
    assert same(left.memory(0), right.memory(0))


def _both(other: Method, method: Method, first: bool) -> Chain:
    return chain(other, method) if first else chain(method, other)


def _need_fedprox_apart(home: Case) -> None:
    if home.name == "fedprox":
        pytest.skip("a method is a member once")


def assert_same(one: Ended, other: Ended, name: str) -> None:
    """Same weights, losses, and memory of the member `name`."""
    assert [entry for entry in one.shared if not same(one.shared[entry], other.shared[entry])] == []
    assert one.losses == other.losses
    assert all(same(one.memory(k).get(name), other.memory(k).get(name)) for k in range(3))
    assert same(one.progress.inbox.get(name), other.progress.inbox.get(name))
