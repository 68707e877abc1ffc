"""What the server knows of every class: prevalence, and what stays where nobody tells (M3, M4: see FedMLP's)."""

from __future__ import annotations

import pytest
import torch

from fedmed.strategies._class_prototypes import updated
from tests.strategies.fedmlp_toys import sent

ROWS = torch.zeros(4, 2)


def test_prevalence_is_the_share_of_positives_among_all_annotated_entries() -> None:
    """Three of twelve in class 0, though one client has a single positive; nobody annotates class 1."""
    reports = [sent(5, ROWS, [4, 1, 0, 0], [0, 1], [0, 0]), sent(7, ROWS, [5, 2, 0, 0], [0, 1], [0, 0])]
    known = updated({}, reports, least=2, step=1)
    assert known["prevalence"].tolist() == pytest.approx([0.25, 0])
    assert known["valid"].tolist() == [True, True, False, False]


def test_a_class_that_a_round_does_not_tell_of_keeps_its_prevalence() -> None:
    before = updated({}, [sent(5, ROWS, [4, 1, 3, 1], [0, 0], [0, 0])], least=2, step=1)
    after = updated(before, [sent(5, ROWS, [0, 0, 1, 1], [1, 0], [0.5, 0])], least=2, step=1)
    assert after["prevalence"].tolist() == pytest.approx([0.2, 0.5])
