"""Every strategy learns a toy within a few rounds, and the toys ask for more than one local step."""

import pytest

from fedmed.method import Method
from tests.conformance.cases import Case
from tests.toys import TRAINING, federate


def test_the_loss_falls(case: Case, method: Method) -> None:
    if case.name == "fedbabu":
        pytest.skip("its head is not trained, so that it takes longer: see tests/strategies/test_baselines.py")
    if (case.name, case.task) == ("fedia", "segmentation"):
        pytest.skip("Dice over several classes takes longer: see tests/strategies/test_fedia_rounds.py")
    ended = federate(case.toy, method, rounds=6, by_clients=True, due=lambda round: round in (1, 6))
    first, last = (sum(row["test.loss"] for row in ended.results[round - 1].evaluated) for round in (1, 6))
    assert last < 0.8 * first


def test_clients_do_several_local_steps(case: Case) -> None:
    assert min(len(share.train) for share in case.toy.shares) >= 2 * TRAINING.batch_size
