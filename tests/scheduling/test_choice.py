"""Policies by the words of a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.scheduling.choice import BETAS, betas_from, policy_from, synthetic_from, words_by_name
from fedmed.scheduling.policies.dpbalance import DPBalance
from fedmed.scheduling.policies.dpf import DominantPrivateBlockFairness

OWN = """\
from dataclasses import dataclass

from fedmed.scheduling.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Last(Policy):
    \"\"\"Last come, first served.\"\"\"

    def grant(self, waiting):
        return waiting.first_fit(reversed(range(len(waiting.shares))))
"""


def test_words() -> None:
    assert policy_from({}) == DPBalance()
    assert policy_from(words_by_name(["beta=2"])) == DPBalance(beta=2.0)
    assert policy_from(words_by_name(["policy=dpbalance", "policy.beta=0.5"])) == DPBalance(beta=0.5)
    chosen = policy_from(words_by_name(["policy=dpf", "unlock=time", "lifetime=4"]))
    assert chosen == DominantPrivateBlockFairness(unlock="time", lifetime=4.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=dpbalanse"], "policy: expected the name of a policy, got dpbalanse. Did you mean dpbalance"),
        (["betta=1"], "betta: expected an option of policy=dpbalance, got betta. Did you mean beta?"),
        (["policy=fcfs", "beta=1"], "fcfs has none: leave it out"),
        (["beta=-1"], "expected a number > 0, got -1"),
        (["beta=[1"], "expected a number > 0, got [1"),
        (["beta"], "expected option=value, got beta"),
    ],
)
def test_wrong_words(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        policy_from(words_by_name(words))
    assert message in str(caught.value)


def test_a_policy_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/last.py").write_text(OWN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert type(policy_from({"policy": "last"})).__name__ == "Last"
    assert type(policy_from({"policy": "policies/last.py:Last"})).__name__ == "Last"


def test_betas() -> None:
    assert betas_from("") == BETAS
    assert betas_from("2,0.5") == (2.0, 0.5)
    with pytest.raises(UserError, match="beta: expected numbers above 0"):
        betas_from("1,0")


def test_synthetic_jobs() -> None:
    assert len(synthetic_from({"seeds": "2", "jobs": "1"})) == 2
    with pytest.raises(UserError, match=r"seed: expected an option of synthetic jobs, got seed. Did you mean seeds"):
        synthetic_from({"seed": "2"})
    with pytest.raises(UserError, match=r"workload: expected batch or arrivals"):
        synthetic_from({"workload": "all"})
