"""Values by domain, whatever domains are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.comparison.read import read
from fedmed.report.domains import domain_table, domain_values
from tests import fabricated

FINAL = {"domain.Berlin.auc": 0.7, "domain.St. Mary's.auc": 0.8, "domain.Berlin.auc.defined": 3, "domain.mean.auc": 1}
FINAL |= {"domain.worst.auc": 1, "domain.spread.auc": 1, "domain.mean.auc.of": 5, "domain.Berlin.loss": 9}


def test_domains_are_told_by_their_own_names(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a", seed=0, final=FINAL)
    fabricated.run(tmp_path / "b", seed=1, final={**FINAL, "domain.Berlin.auc": 0.9, "domain.St. Mary's.auc": None})
    comparison = read([tmp_path])
    names, found = domain_values(comparison, comparison.worlds[0], "auc")
    assert names == ["Berlin", "St. Mary's"]
    table = domain_table(names, found, "auc")
    assert [row[0].text for row in table.rows] == names
    assert [row[1].sort for row in table.rows] == pytest.approx([0.8, 0.8])
    assert [row[1].faint for row in table.rows] == ["± 0.141", "(1 of 2)"], (
        "a site without a value leaves the mean, which says so"
    )


def test_no_domains_no_table(tmp_path: Path) -> None:
    fabricated.run(tmp_path / "a")
    comparison = read([tmp_path])
    assert domain_values(comparison, comparison.worlds[0], "auc") == ([], {})
