"""All policies side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.scheduling.policy_comparison import compare_policies
from fedmed.scheduling.workload import SyntheticJobs
from tests.scheduling.test_choice import OWN


def test_rows_of_every_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/last.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    compared = compare_policies([SyntheticJobs(analysts=2, jobs=3, blocks=2).draw(0)], [2.0, 0.5, 2.0])
    assert [row.policy for row in compared.curve] == ["dpbalance beta=0.5", "dpbalance beta=2"]
    names = ["density", "dpack", "dpf", "fcfs", "last", "roundrobin", "dpf unlock=arrivals"]
    assert [row.policy for row in compared.others] == names
    assert [row.beta for row in compared.shares] == [0.5, 2.0]
    assert len(compared.rows) == 9


def test_shares_before_whole_jobs() -> None:
    """The specification's columns of stage 1: the sum falls and fairness rises in beta, and at 1 nobody envies."""
    compared = compare_policies([SyntheticJobs().draw(seed) for seed in range(8)])
    sums, fairness = [row.efficiency for row in compared.shares], [row.fairness for row in compared.shares]
    assert sums == sorted(sums, reverse=True)
    assert fairness == sorted(fairness)
    fair = compared.shares[2]
    assert (fair.beta, fair.incentive, fair.envious) == (1.0, 1.0, 0.0)
    assert compared.shares[0].incentive < 0.9
    assert compared.shares[0].envious > 0.5
