"""The AUC of annotated findings: pairs add up over clients, and only annotated entries make any."""

from __future__ import annotations

import pytest
import torch

from fedmed.strategies._known_findings import mean_auc, ranked_pairs
from tests.strategies.fedmlp_toys import client_of


def test_pairs_of_annotated_entries_are_counted() -> None:
    """Class 0: positives .9 and .4, negatives .5 and .1; class 1: the third image is not annotated."""
    y = torch.tensor([[1.0, 1], [1, 0], [0, 0], [0, 0]])
    seen = torch.tensor([[True, True], [True, True], [True, False], [True, False]])
    logits = torch.tensor([[0.9, 0.5], [0.4, 0.5], [0.5, 9], [0.1, 9]])
    assert ranked_pairs(client_of(y, seen, logits=logits)).tolist() == [[3, 0.5], [4, 1]]


def test_without_positives_there_are_no_pairs() -> None:
    found = ranked_pairs(client_of(torch.zeros(3, 1), None, logits=torch.zeros(3, 1)))
    assert found.tolist() == [[0], [0]]


def test_the_mean_is_over_findings_that_anybody_has_pairs_of() -> None:
    one, other = torch.tensor([[3.0, 0, 0], [4, 0, 0]]), torch.tensor([[0.0, 1, 0], [2, 2, 0]])
    assert mean_auc({"0": one.double(), "7": other.double()}) == pytest.approx((3 / 6 + 1 / 2) / 2)
    assert mean_auc({"0": torch.zeros(2, 3)}) == 0.5
