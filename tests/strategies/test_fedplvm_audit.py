import math

import pytest

from fedmed.strategies.fedplvm import FedPLVM
from tests.strategies.test_fedplvm import client_of, payload


def test_the_audit_counts_prototypes_and_measures_cosines() -> None:
    method = FedPLVM(max_examples=3)
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
    assert found == pytest.approx({"clustered": 5 / 7, **sizes, **counts, **cosines, **alike})


def test_the_audit_tells_the_variance_of_directions_in_a_class() -> None:
    method = FedPLVM()
    client = client_of(method, {}, [[2.0, 0], [0, 1], [1, 0], [3, 4], [3, 4]], [0, 0, 1, 2, 2], 4)
    method.prepare(client)
    method.report(client)
    found = method.audit(client, client.train.y)
    told = {name: value for name, value in found.items() if "variance" in name}
    assert told == pytest.approx({"variance.0": 0.5, "variance.1": 0, "variance.2": 0}, abs=1e-6)
