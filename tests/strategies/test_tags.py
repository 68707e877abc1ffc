"""How many labels FedMLP tags, on which side, and what tags are worth."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fedmed.strategies._tags import Quota, foremost, in_proportion, worth

NONE = torch.full((100, 1), -1, dtype=torch.int8)


def counted(quota: Quota, tag: Tensor = NONE, **given: Any) -> list[int]:
    """Counts (absent, present) of one class with 60 candidates nearer to absent, 40 to present, of 100 missing ones."""
    known = {"rate": 1.0, "prevalence": 0.1} | {
        name: given.pop(name) for name in ("rate", "prevalence") if name in given
    }
    tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in known.items()}
    found = quota.counts(
        tag, torch.tensor([[60], [40]]), torch.tensor([100]), **tensors, elapsed=given.get("elapsed", 1)
    )
    return found[:, 0].tolist()


def tagged(absent: int, present: int) -> Tensor:
    tag = NONE.clone()
    tag[:absent], tag[absent : absent + present] = 0, 1
    return tag


@pytest.mark.parametrize(
    ("quota", "given", "expected"),
    [
        (Quota((0.1, 0.2), (0, 0), None, "candidates"), {}, [6, 8]),
        (Quota((0.1, 0.2), (0, 0), None, "candidates"), {"rate": 0.5}, [3, 4]),
        (Quota((0.0, 0.0), (3, 0), None, "candidates"), {}, [3, 0]),
        (Quota((0.1, 0.2), (1, 1), None, "candidates"), {"rate": 0.0}, [0, 0]),
        (Quota((0.1, 0.2), (0, 0), None, "prevalence"), {}, [13, 1]),
        (Quota((0.1, 0.2), (0, 0), None, "prevalence"), {"prevalence": 0.5}, [7, 7]),
        (Quota((0.0, 0.0), (3, 7), None, "prevalence"), {"prevalence": 0.3}, [7, 3]),
        (Quota((0.1, 0.2), (9, 9), 0.5, "candidates"), {}, [30, 20]),
        (Quota((0.1, 0.2), (9, 9), 0.5, "candidates"), {"elapsed": 0.1}, [3, 2]),
        (Quota((0.1, 0.2), (9, 9), 0.5, "candidates"), {"rate": 0.3}, [30, 20]),
        (Quota((0.1, 0.2), (9, 9), 0.5, "candidates"), {"rate": 0.0}, [0, 0]),
        (Quota((0.1, 0.2), (9, 9), 0.5, "prevalence"), {}, [45, 5]),
    ],
)
def test_how_many_are_tagged(quota: Quota, given: dict[str, float], expected: list[int]) -> None:
    assert counted(quota, **given) == expected


def test_a_wanted_coverage_counts_what_is_tagged_already_and_catches_up() -> None:
    quota = Quota((0, 0), (0, 0), 0.5, "prevalence")
    assert counted(quota, tagged(18, 2), elapsed=0.5) == [5, 0]
    assert counted(quota, tagged(18, 2), elapsed=1) == [27, 3]
    assert counted(quota, tagged(60, 0), elapsed=1) == [0, 0]


def test_proportions_are_kept_over_rounds() -> None:
    """One tag a round of a finding that one image in ten shows: every tenth tag is present."""
    tag = NONE.clone()
    for at in range(40):
        absent, present = in_proportion(torch.tensor([1]), torch.tensor([0.1], dtype=torch.float64), tag)[:, 0].tolist()
        assert absent + present == 1
        tag[at] = present
        assert int((tag == 1).sum()) == (at + 1) // 10


def test_too_many_present_are_made_up_for_and_never_taken_back() -> None:
    assert in_proportion(torch.tensor([5]), torch.tensor([0.1]), tagged(0, 6))[:, 0].tolist() == [5, 0]


def test_the_foremost_are_chosen_ties_by_order_and_no_more_than_there_are() -> None:
    score = torch.tensor([[0.5], [0.9], [0.5], [0.7]])
    among = torch.tensor([[True], [False], [True], [True]])
    assert foremost(score, among, torch.tensor([2]))[:, 0].tolist() == [True, False, False, True]
    assert foremost(score, among, torch.tensor([9]))[:, 0].tolist() == [True, False, True, True]
    assert not foremost(score, among, torch.tensor([0])).any()


def test_what_tags_are_worth_is_audited_by_side() -> None:
    """Four of six missing entries are tagged: three as present, of which two are, and one rightly as absent."""
    tag = torch.tensor([1, 1, 1, 0, -1, -1], dtype=torch.int8)
    present = torch.tensor([True, True, False, False, True, False])
    found = worth(tag, present, torch.zeros(6, dtype=torch.bool))
    assert found == pytest.approx(
        {
            "tag_coverage": 4 / 6,
            "tag_precision": 3 / 4,
            "tag_precision_absent": 1.0,
            "tag_precision_present": 2 / 3,
            "tag_recall": 2 / 3,
        }
    )
    assert worth(torch.full_like(tag, -1), present, present) == {"tag_coverage": 0.0}
