"""What is told about a comparison: rows, marks, tests, references, and what has to be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from scipy.stats import ttest_rel

from fedmed.comparison.read import read
from fedmed.comparison.rows import Row, Summary
from fedmed.comparison.summary import summarise
from tests.fabricated import CONFIG, run, runs, strategy

AVG = [0.70, 0.72, 0.69, 0.71, 0.73]
PROX = [0.75, 0.76, 0.75, 0.75, 0.78]
BN = [0.74, 0.77, 0.74, 0.76, 0.77]
BAD = [0.50, 0.55, 0.49, 0.52, 0.51]
ARMS = {"fedavg": AVG, "fedprox": PROX, "fedbn": BN, "moon": BAD}


def _summary(folder: Path, arms: Mapping[str, Sequence[float]] = ARMS) -> Summary:
    return summarise(read(runs(folder, arms)))


def _headline(summary: Summary) -> dict[str, Row]:
    return {row.arm: row for row in summary.rows if row.metric == summary.headline}


def test_a_row_by_hand(tmp_path: Path) -> None:
    row = _headline(_summary(tmp_path))["fedprox"]
    assert (row.world, row.metric, row.n, row.federated) == ("synthetic_multiclass", "test.auc", 5, True)
    assert row.mean == pytest.approx(0.758)
    assert row.sd == pytest.approx(0.0130384)
    # t quantile of .975 with 4 degrees of freedom: 2.776445
    assert (row.low, row.high) == pytest.approx((0.758 - 0.016189, 0.758 + 0.016189), abs=1e-5)
    # differences .05 .04 .06 .04 .05: mean .048, sd .0083666
    assert row.difference == pytest.approx(0.048)
    assert (row.dlow, row.dhigh) == pytest.approx((0.048 - 0.010389, 0.048 + 0.010389), abs=1e-5)
    assert row.effect == pytest.approx(0.797885 * 0.048 / 0.0083666, abs=1e-3)


def test_p_is_of_the_paired_t_test_and_corrected_over_the_worlds_arms(tmp_path: Path) -> None:
    rows = _headline(_summary(tmp_path))
    p = {name: float(ttest_rel(ARMS[name], AVG).pvalue) for name in ("fedprox", "fedbn", "moon")}
    assert {name: rows[name].p for name in p} == pytest.approx(p)
    small, middle, large = sorted(p, key=p.__getitem__)
    assert rows[small].p_holm == pytest.approx(3 * p[small])
    assert rows[middle].p_holm == pytest.approx(max(3 * p[small], 2 * p[middle]))
    assert rows[large].p_holm == pytest.approx(max(3 * p[small], 2 * p[middle], p[large]))
    assert {row.test for row in rows.values()} == {"t", ""}
    assert (rows["fedavg"].p, rows["fedavg"].difference) == (None, None)


def test_the_best_and_those_not_significantly_worse_are_marked(tmp_path: Path) -> None:
    marks = {arm: row.mark for arm, row in _headline(_summary(tmp_path)).items()}
    assert marks == {"fedavg": "", "fedprox": "best", "fedbn": "near", "moon": ""}


def test_of_a_loss_the_least_is_best(tmp_path: Path) -> None:
    for name, values in ARMS.items():
        for seed, value in enumerate(values):
            run(tmp_path / f"{name}{seed}", seed=seed, config={"strategy": strategy(name)}, final={"test.loss": value})
    rows = _headline(summarise(read([tmp_path], metric="loss")))
    assert rows["moon"].mark == "best"
    assert rows["fedprox"].mark == ""


def test_the_names_of_arms_and_a_common_shift_change_nothing(tmp_path: Path) -> None:
    before = _headline(_summary(tmp_path / "a"))
    shifted = {name: [value + 0.1 for value in values] for name, values in reversed(ARMS.items())}
    after = _headline(_summary(tmp_path / "b", shifted))
    for arm, row in before.items():
        other = after[arm]
        assert row.mark == other.mark
        assert (row.p_holm, row.effect, row.difference) == pytest.approx((other.p_holm, other.effect, other.difference))
        assert other.mean == pytest.approx((row.mean or 0) + 0.1)


def test_swapping_arm_and_reference_turns_the_sign(tmp_path: Path) -> None:
    paths = runs(tmp_path, {"fedavg": AVG, "fedprox": PROX})
    there = _headline(summarise(read(paths)))["fedprox"]
    back = _headline(summarise(read(paths, reference="fedprox")))["fedavg"]
    assert (back.difference, back.dlow, back.dhigh, back.effect, back.p) == pytest.approx(
        (-there.difference, -there.dhigh, -there.dlow, -there.effect, there.p)  # type: ignore[operator]
    )


@pytest.mark.parametrize("seeds", [1, 3, 4])
def test_few_seeds_claim_nothing(tmp_path: Path, seeds: int) -> None:
    summary = _summary(tmp_path, {name: values[:seeds] for name, values in ARMS.items()})
    rows = _headline(summary).values()
    assert {(row.mark, row.p, row.p_holm, row.test) for row in rows} == {("", None, None, "")}
    assert any("too few to claim anything" in note for note in summary.notes)
    assert all((row.low is None) == (seeds == 1) for row in rows)


def test_correction_is_told_where_there_is_something_to_correct(tmp_path: Path) -> None:
    assert "Holm's correction for the " in " ".join(_summary(tmp_path / "many").notes)
    two = " ".join(_summary(tmp_path / "two", {"fedavg": AVG, "fedprox": PROX}).notes)
    assert "p is of the paired t test over seeds. " in two


def test_five_seeds_say_what_they_can_carry(tmp_path: Path) -> None:
    notes = " ".join(_summary(tmp_path).notes)
    assert "too few to claim" not in notes
    assert "paired t test" in notes
    # t quantile of 1 - .05 / 6 with 4 degrees of freedom, 3.961, by sqrt 5
    assert "exceed 1.8 of its standard deviations" in notes
    assert "Student's t below 10 seeds" in notes


def test_ten_seeds_are_tested_by_wilcoxon_and_bootstrapped(tmp_path: Path) -> None:
    values = {"fedavg": [0.5 + 0.01 * (n % 3) for n in range(10)], "fedprox": [0.6 + 0.011 * n for n in range(10)]}
    summary = _summary(tmp_path, values)
    row = _headline(summary)["fedprox"]
    assert row.test == "wilcoxon"
    assert row.p == pytest.approx(2 / 2**10)  # every difference is above 0
    assert "BCa" in " ".join(summary.notes)


def test_only_shared_seeds_are_paired_and_missing_ones_are_told(tmp_path: Path) -> None:
    summary = _summary(tmp_path, {"fedavg": AVG, "fedprox": PROX[:2]})
    row = _headline(summary)["fedprox"]
    assert row.n == 2
    assert row.difference == pytest.approx((0.05 + 0.04) / 2)
    assert "No test.auc in synthetic_multiclass for seed 2, 3, 4: fedprox." in summary.notes
    assert any(note.endswith("fewer than 5 seeds: fedprox in synthetic_multiclass (2).") for note in summary.notes)


def test_an_arm_with_fewer_seeds_is_never_the_best(tmp_path: Path) -> None:
    more = {name: [*values, values[0], values[1]] for name, values in ARMS.items()}
    summary = _summary(tmp_path, {**more, "scaffold": [0.99, 0.98, 0.97, 0.99, 0.98]})
    rows = _headline(summary)
    assert (rows["fedprox"].mark, rows["scaffold"].mark) == ("best", "near")


def test_references_are_told_and_neither_tested_nor_marked(tmp_path: Path) -> None:
    paths = runs(tmp_path, ARMS)
    for seed in range(5):
        paths.append(run(tmp_path / f"pooled{seed}", seed=seed, auc=0.9 + seed / 100, config={"pooled": True}))
    with_it, without = (_headline(summarise(read(given))) for given in (paths, paths[:-5]))
    pooled = with_it.pop("pooled")
    assert (pooled.federated, pooled.mark, pooled.p, pooled.test) == (False, "", None, "")
    assert pooled.difference == pytest.approx(0.21)
    assert with_it == without  # the others' corrections and marks are what they were


def test_the_headline_is_one_that_every_federated_arm_has(tmp_path: Path) -> None:
    for seed in (0, 1):
        for name in ("fedavg", "fedper"):
            final = {"client.mean.auc": 0.6, "client.worst.auc": 0.4}
            auc = None if name == "fedper" else 0.7
            run(tmp_path / f"{name}{seed}", seed=seed, auc=auc, config={"strategy": strategy(name)}, final=final)
    summary = summarise(read([tmp_path]))
    assert summary.metrics == ("client.mean.auc", "test.auc", "client.worst.auc")
    assert [row.arm for row in summary.rows if row.metric == "test.auc"] == ["fedavg"]


def test_clients_alone_have_no_test_metric_and_that_is_said(tmp_path: Path) -> None:
    runs(tmp_path / "f", {"fedavg": AVG})
    final = {"client.mean.auc": 0.5}
    run(tmp_path / "l", auc=None, config={"strategy": strategy("fedavg", local=["*"])}, clients=[0.4, 0.6], final=final)
    summary = summarise(read([tmp_path]))
    assert summary.headline == "test.auc"
    reason = "because clients keep parts of the net; client.mean.auc tells instead: local-only."
    assert f"No test.auc, {reason}" in summary.notes
    [row] = summary.clients
    assert (row.arm, row.federated, row.worst) == ("local-only", False, 0.4)


def test_targets_are_a_share_of_the_references_end_in_each_world(tmp_path: Path) -> None:
    for alpha, end in ((0.1, 0.4), (1.0, 0.8)):
        partition = {**CONFIG["partition"], "alpha": alpha}
        config = {"partition": partition}
        run(tmp_path / f"avg{alpha}", auc=end, config=config, curve=[end / 2, end])
        both = {**config, "strategy": strategy("fedprox")}
        run(tmp_path / f"prox{alpha}", auc=0.5, config=both, curve=[0.5, 0.5])
    found = {(row.world, row.arm): row for row in summarise(read([tmp_path])).targets}
    low, high = "partition.alpha=0.1", "partition.alpha=1.0"
    assert found[low, "fedavg"].target == pytest.approx(0.38)
    assert (found[low, "fedavg"].rounds, found[low, "fedprox"].rounds) == (2, 1)
    assert (found[high, "fedprox"].reached, found[high, "fedprox"].rounds) == (0, None)
    given = summarise(read([tmp_path]), target=0.45).targets
    assert {row.target for row in given} == {0.45}


def test_runs_that_were_evaluated_once_tell_no_targets(tmp_path: Path) -> None:
    run(tmp_path / "a", curve=[None, 0.5])
    summary = summarise(read([tmp_path]))
    assert summary.targets == ()
    assert any("not evaluated in two rounds" in note for note in summary.notes)


def test_an_arm_that_is_not_in_every_world_is_not_ranked(tmp_path: Path) -> None:
    for alpha in (0.1, 1.0):
        for place, name in enumerate(("fedavg", "fedprox", "fedbn", "moon")):
            if (alpha, name) != (1.0, "moon"):
                config = {"partition": {**CONFIG["partition"], "alpha": alpha}, "strategy": strategy(name)}
                run(tmp_path / f"{name}{alpha}", auc=0.5 + place / 10, config=config)
    summary = summarise(read([tmp_path]))
    assert summary.ranking is not None
    assert (summary.ranking.arms, summary.ranking.critical) == (("fedbn", "fedprox", "fedavg"), None)
    assert "Not ranked, because not in every world: moon." in summary.notes
    assert any("2 worlds are too few" in note for note in summary.notes)


def test_ranks_over_worlds(tmp_path: Path) -> None:
    for number in range(5):
        partition = {**CONFIG["partition"], "alpha": 0.1 + number}
        for place, name in enumerate(("fedavg", "fedprox", "fedbn")):
            config = {"partition": partition, "strategy": strategy(name)}
            run(tmp_path / f"{name}{number}", auc=0.5 + place / 10, config=config)
    ranking = summarise(read([tmp_path])).ranking
    assert ranking is not None
    assert (ranking.arms, ranking.ranks) == (("fedbn", "fedprox", "fedavg"), (1.0, 2.0, 3.0))
    # chi2 = 12 N / (k (k + 1)) * sum (R - 2)^2 = 12 * 5 / 12 * 2
    assert ranking.statistic == pytest.approx(10)
    assert ranking.critical == pytest.approx(2.343 * (12 / 30) ** 0.5, abs=1e-3)
    assert ranking.alike == (("fedbn", "fedprox"), ("fedprox", "fedavg"))
