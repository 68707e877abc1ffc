"""What the methods with prototypes share: what is sent, what is combined, and how a client reads it."""

import pytest
import torch

from fedmed.method import Batch, Payload, Report
from fedmed.strategies._prototypes import Prototypes, combined, prototypes
from tests.strategies.prototype_toys import payload


def report(client: int, sent: Payload) -> Report:
    return Report(client=client, examples=1, loss=0.0, payload=sent, weights={})


def test_the_mean_of_a_class_counts_every_row_alike() -> None:
    found = prototypes(torch.tensor([[2.0, 0], [0, 1], [4, 2]]), torch.tensor([2, 0, 2]), "mean")
    assert found["classes"].tolist() == [0, 2]
    assert found["prototypes"].tolist() == [[0, 1], [3, 1]]


def test_clients_without_a_class_do_not_count_in_its_mean() -> None:
    reports = [report(0, payload([[1.0, 0], [0, 2]], [0, 1])), report(1, payload([[3.0, 2]], [0])), report(2, {})]
    found = combined(reports, "mean")
    assert found["classes"].tolist() == [0, 1]
    assert found["prototypes"].tolist() == [[2, 1], [0, 2]]
    assert combined([report(0, {})], "mean") == {}


def test_a_client_knows_rows_and_means_of_classes_and_which_have_none() -> None:
    known = Prototypes.of(payload([[3.0, 4], [0, 2], [1, 0]], [1, 1, 0]), 3)
    torch.testing.assert_close(known.rows, torch.tensor([[0.6, 0.8], [0, 1], [1, 0]]))
    assert known.number.tolist() == [1, 2, 0]
    assert known.mean.tolist() == [[1, 0], [1.5, 3], [0, 0]]
    assert known.direction.norm(dim=1).tolist() == pytest.approx([1, 1, 0])
    assert known.own.tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert not known.complete
    z, y = torch.eye(3), torch.tensor([0, 2, 1])
    kept = known.with_prototype(Batch(z, y, None, y, z, z))
    assert kept[1].tolist() == [0, 1]
    assert torch.equal(kept[0], z[[0, 2]])
