import math

import pytest
import torch

from fedmed.strategies.fedplvm import FedPLVM, _Sent
from tests.strategies.prototype_toys import payload
from tests.strategies.test_fedplvm import client_of


def test_the_audit_counts_prototypes_and_measures_cosines() -> None:
    method = FedPLVM(max_examples=3, alpha=1, temperature=0.5)
    inbox = payload([[1.0, 0], [0, 1], [1, 1]], [0, 1, 1])
    client = client_of(
        method, inbox, [[1.0, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1], [1, 0]], [0, 0, 1, 1, 1, 1, 2], 3
    )
    method.report(client)
    found = method.audit(client, client.train.y)
    half = math.sqrt(0.5)
    counts = {"sent.0": 1, "sent.1": 1, "sent.2": 0, "received.0": 1, "received.1": 2, "received.2": 0}
    cosines = {"cosine.own": (2 + 4 + 4 * half) / 10, "cosine.other": (2 * half + 1 + half) / 11}
    row = 2 * 4 + 8  # two floats and the class
    sizes = {"sent.bytes": 2 * row, "received.bytes": 3 * row}
    alike = {f"variance.{m}": 0 for m in range(3)}
    attended = {"effective": found["effective"], "effective.share": found["effective.share"], "reached": 2 / 3}
    assert found == pytest.approx({"clustered": 5 / 7, **sizes, **counts, **cosines, **alike, **attended})
    # two images of one prototype; four of two, at cosines 1 and sqrt(1/2)
    share = 1 / (1 + math.exp((half - 1) / 0.5))
    two = math.exp(-share * math.log(share) - (1 - share) * math.log(1 - share))
    assert found["effective"] == pytest.approx((2 * 1 + 4 * two) / 6, rel=1e-5)
    assert found["effective.share"] == pytest.approx((2 * 1 + 4 * two / 2) / 6, rel=1e-5)


@pytest.mark.parametrize(("alpha", "share"), [(0.01, 1.0), (1.0, 0.5)])
def test_a_small_alpha_attends_to_all_prototypes_of_a_class_alike(alpha: float, share: float) -> None:
    method = FedPLVM(alpha=alpha, temperature=0.02)
    client = client_of(method, payload([[1.0, 0], [0.5, 0.5]], [0, 0]), [[1.0, 0], [2, 0]], [0, 0])
    method.report(client)
    assert method.audit(client, client.train.y)["effective.share"] == pytest.approx(share, abs=1e-2)


@pytest.mark.parametrize(("mine", "reached"), [([1, 0], 0.5), ([0.8, 0.6], 0.5), ([[1, 0], [0, 1]], 1.0)])
def test_prototypes_that_are_nearest_to_ones_own_are_reached(mine: list, reached: float) -> None:
    method = FedPLVM(min_examples=1)
    rows = mine if isinstance(mine[0], list) else [mine]
    client = client_of(method, payload([[1.0, 0], [0, 1], [1, 1]], [0, 0, 1]), rows, [0] * len(rows))
    client.keep(_Sent(torch.tensor(rows, dtype=torch.float32), payload(rows, [0] * len(rows))))
    assert method.audit(client, client.train.y)["reached"] == reached


def test_a_client_that_has_sent_nothing_reaches_nothing() -> None:
    method = FedPLVM(min_examples=9)
    client = client_of(method, payload([[1.0, 0]], [0]), [[1.0, 0]], [0])
    method.report(client)
    assert "reached" not in method.audit(client, client.train.y)


def test_the_audit_tells_the_variance_of_directions_in_a_class() -> None:
    method = FedPLVM()
    client = client_of(method, {}, [[2.0, 0], [0, 1], [1, 0], [3, 4], [3, 4]], [0, 0, 1, 2, 2], 4)
    method.prepare(client)
    method.report(client)
    found = method.audit(client, client.train.y)
    told = {name: value for name, value in found.items() if "variance" in name}
    assert told == pytest.approx({"variance.0": 0.5, "variance.1": 0, "variance.2": 0}, abs=1e-6)
