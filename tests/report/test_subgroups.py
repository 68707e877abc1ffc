"""Values by part of the test images, whatever domains and groups are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.comparison.runs import Comparison
from fedmed.report.subgroups import PartValues, kinds_of, part_sections, part_table, part_values
from tests import fabricated

FINAL = {"domain.Berlin.auc": 0.7, "domain.St. Mary's.auc": 0.8, "domain.Berlin.auc.defined": 3, "domain.mean.auc": 1}
FINAL |= {"domain.worst.auc": 1, "domain.spread.auc": 1, "domain.mean.auc.of": 5, "domain.Berlin.loss": 9}

SEX = {"group.sex.F.images": 40, "group.sex.F.auc": 0.7, "group.sex.F.auc.low": 0.6, "group.sex.F.auc.high": 0.75}
SEX |= {"group.sex.M.images": 60, "group.sex.M.auc": 0.9, "group.sex.unknown.images": 5}
SEX |= {"group.sex.mean.auc": 0.8, "group.sex.worst.auc": 0.7, "group.sex.gap.auc": 0.2}
AGE = {"group.age.<40.images": 3, "group.age.40-59.images": 50, "group.age.>=60.images": 50}
AGE |= {"group.age.40-59.auc.defined": 3, "group.age.40-59.auc.of": 4}
AGE |= {"group.age.40-59.auc": 0.8, "group.age.40-59.loss": 0.4, "group.age.>=60.loss": 0.3, "group.age.worst.auc": 0.8}


def values(comparison: Comparison, kind: str) -> PartValues:
    found = part_values(comparison, comparison.worlds[0], kind, "auc")
    assert found is not None
    return found


def test_domains_are_told_by_their_own_names(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a", seed=0, final=FINAL)
    fabricated.run(tmp_path / "b", seed=1, final={**FINAL, "domain.Berlin.auc": 0.9, "domain.St. Mary's.auc": None})
    table = part_table(values(read([tmp_path]), "domain"))
    assert [row[0].text for row in table.rows] == ["Berlin", "St. Mary's", "worst", "spread"]
    assert [row[1].sort for row in table.rows] == pytest.approx([0.8, 0.8, 1, 1])
    assert [row[1].faint for row in table.rows[:2]] == ["± 0.141", "(1 of 2)"], (
        "a site without a value leaves the mean, which says so"
    )


def test_no_parts_no_table(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a")
    comparison = read([tmp_path])
    assert not list(part_sections(comparison, comparison.worlds[0], "auc"))
    assert part_values(comparison, comparison.worlds[0], "domain", "auc") is None


def test_groups_have_their_images_intervals_worst_and_gap(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a", final={**SEX, **AGE})
    comparison = read([tmp_path])
    assert kinds_of(comparison, comparison.worlds[0]) == ["group.sex", "group.age"]
    table = part_table(values(comparison, "group.sex"))
    assert [cell for cell, _ in table.header] == ["sex", "images", "fedavg"]
    told = [[cell.text for cell in row] + [row[-1].faint] for row in table.rows]
    assert told == [
        ["F", "40", "0.700", "[0.600, 0.750] worst"],
        ["M", "60", "0.900", ""],
        ["unknown", "5", "-", "in no group"],
        ["worst", "", "0.700", ""],
        ["gap", "", "0.200", ""],
    ]
    assert [row[-1].alert for row in table.rows] == [True, False, False, False, False]


def test_a_small_group_and_one_without_a_value_are_told_apart_and_are_never_zero(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a", final=AGE)
    table = part_table(values(read([tmp_path]), "group.age"))
    assert [(row[0].text, row[-1].text, row[-1].faint) for row in table.rows] == [
        ("<40", "-", "too few images"),
        ("40-59", "0.800", "(3 of 4)"),
        (">=60", "-", "not defined"),
        ("worst", "0.800", ""),
    ]


def test_the_worst_is_by_the_mean_over_seeds_and_by_the_direction(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a", seed=0, final=SEX)
    fabricated.run(tmp_path / "b", seed=1, final={**SEX, "group.sex.F.auc": 1.0, "group.sex.M.auc": 0.5})
    rows = part_table(values(read([tmp_path]), "group.sex")).rows
    assert [row[-1].alert for row in rows[:2]] == [False, True]
    assert "[" not in rows[0][-1].faint, "several seeds have a spread of their own"
