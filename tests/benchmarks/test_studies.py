"""Studies: what a file may say, how a candidate is chosen, and what the page tells."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.studies import __main__ as command
from benchmarks.studies import overview, study_page
from benchmarks.studies import record as records
from benchmarks.studies.outcome import Outcome
from benchmarks.studies.running import Run
from benchmarks.studies.study import Study, read

TEXT = """
title: Toy, a test
claim: Nothing.
about: Numbers made up.
base: [rounds=2]
metrics: [test.auc]
select: val.auc
reference: plain
seeds: [0, 1, 2]
worlds: {easy: [], hard: [dataset.noise=1]}
arms:
  plain: {overrides: [strategy=fedavg], candidates: [[lr=1], [lr=2]]}
  better: {overrides: [strategy=fedprox], candidates: [[mu=1], [mu=2]]}
  varied: {overrides: [strategy=moon], as: better}
  alone: {overrides: ["strategy.local=[*]"], as: plain, metrics: {test.auc: client.mean.auc}}
glance: [[better, plain]]
curves: [better]
pairs: [[varied, better]]
audits: {precision: fedmlp.tag_precision.*, rank: [fedia.indicator, completeness]}
use: Better.
reading: {easy: Better is better.}
"""
FILES = sorted((Path(__file__).resolve().parents[2] / "benchmarks/studies").glob("*.yaml"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return _read(tmp_path, TEXT)


def _read(folder: Path, text: str) -> Study:
    path = folder / "toy.yaml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def _end(root: Path, overrides: tuple[str, ...], seed: int, **final: float) -> None:
    directory = Run(overrides, seed).directory(root)
    directory.mkdir(parents=True)
    (directory / "final.json").write_text(
        json.dumps({"seconds": 1.5} | {name.replace("_", "."): v for name, v in final.items()}), encoding="utf-8"
    )


def _tune(study: Study, root: Path, world: str) -> None:
    for arm, good in (("plain", 0), ("better", 1)):
        for number, candidate in enumerate(study.arms[arm].candidates):
            _end(root, study.overrides(world, arm, candidate), 100, val_auc=0.9 if number == good else 0.2)


def _report(study: Study, root: Path, world: str, arm: str, values: list[float], name: str = "test_auc") -> None:
    for seed, value in enumerate(values):
        overrides = study.overrides(world, arm, Outcome(study, root).chosen(world, arm))
        _end(root, overrides, seed, **{name: value})


def test_validation_chooses_per_world_and_others_follow(study: Study, tmp_path: Path) -> None:
    _tune(study, tmp_path, "easy")
    outcome = Outcome(study, tmp_path)
    assert outcome.chosen("easy", "plain") == ("lr=1",)
    assert outcome.chosen("easy", "better") == ("mu=2",)
    assert outcome.chosen("easy", "varied") == ("mu=2",)
    chosen = outcome.chosen("easy", "alone")
    assert (
        study.command("easy", "alone", chosen) == "fedmed run rounds=2 'strategy.local=[*]' lr=1 --multirun seed=0,1,2"
    )


def test_tuning_runs_are_those_of_arms_with_candidates(study: Study, tmp_path: Path) -> None:
    runs = Outcome(study, tmp_path).tuning()
    assert len(runs) == 2 * 2 * 2
    assert {run.seed for run in runs} == {100}
    assert not set(runs) & set(Outcome(study, tmp_path).reported())


def test_the_page_tells_paired_differences(study: Study, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    _tune(study, root, "easy")
    _report(study, root, "easy", "plain", [0.5, 0.6, 0.7])
    _report(study, root, "easy", "better", [0.6, 0.7, 0.8])
    _report(study, root, "easy", "varied", [0.6, 0.8, 0.7])
    _report(study, root, "easy", "alone", [0.4, 0.6], "client_mean_auc")
    given = records.recorded(Outcome(study, root))
    records.save(given, tmp_path / "toy.json")
    kept = records.load(tmp_path / "toy.json")
    assert kept is not None
    study_page.write(study, kept, tmp_path)
    page = (tmp_path / "toy.md").read_text(encoding="utf-8")
    assert "| better | 0.700 (0.100) | **+0.100 [+0.100, +0.100]** | `mu=2` |" in page
    assert "| varied - better | +0.000 [-0.248, +0.248] |" in page
    assert "| alone | 0.500 (0.141) of 2 runs |  | `lr=1` |" in page
    assert "Better is better." in page
    assert "earlier form" not in page
    assert (tmp_path / "toy.svg").read_text(encoding="utf-8").startswith("<?xml")
    overview.write([(study, kept)], tmp_path / "page.md")
    told = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| easy | better - plain | test.auc | 3 | **+0.100 [+0.100, +0.100]** |" in told
    assert "- **Use:** Better." in told


def test_figures_of_a_study_that_was_changed_since_say_so(study: Study, tmp_path: Path) -> None:
    given = records.recorded(Outcome(study, tmp_path))
    study_page.write(dataclasses.replace(study, seeds=(0, 1)), given, tmp_path)
    assert "of an earlier form of this study" in (tmp_path / "toy.md").read_text(encoding="utf-8")


def test_an_arm_with_a_metric_of_its_own_is_compared_by_it(study: Study, tmp_path: Path) -> None:
    _tune(study, tmp_path, "easy")
    _report(study, tmp_path, "easy", "alone", [0.4, 0.5, 0.6], "client_mean_auc")
    given = records.recorded(Outcome(study, tmp_path))
    assert records.against(study, given, "easy", "alone", "plain", "test.auc") is None
    _report(study, tmp_path, "easy", "plain", [0.6, 0.7, 0.8], "client_mean_auc")
    given = records.recorded(Outcome(study, tmp_path))
    found = records.against(study, given, "easy", "alone", "plain", "test.auc")
    assert found is not None
    assert found.mean == pytest.approx(-0.2)


def test_curves_are_told_by_round_and_seed(study: Study, tmp_path: Path) -> None:
    _tune(study, tmp_path, "easy")
    _report(study, tmp_path, "easy", "better", [0.6, 0.8])
    for seed in (0, 1):
        directory = Run(study.overrides("easy", "better", ("mu=2",)), seed).directory(tmp_path)
        rows = [{"round": r, "loss": 1.0} | ({"test.auc": seed + r / 10} if r % 2 else {}) for r in (1, 2, 3)]
        (directory / "rounds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = records.recorded(Outcome(study, tmp_path))
    assert given.curve("easy", "better") == {1: {0: 0.1, 1: 1.1}, 3: {0: 0.3, 1: 1.3}}
    assert given.curve("easy", "plain") == {}


def test_the_pages_in_docs_are_those_of_the_figures_beside_them(tmp_path: Path) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    (tmp_path / "results").mkdir()
    for path in (docs / "results").glob("*.json"):
        (tmp_path / "results" / path.name).write_bytes(path.read_bytes())
    if not any((tmp_path / "results").iterdir()):
        pytest.skip("no figures yet")
    command.tell(tmp_path / "results.md")
    for path in (*tmp_path.glob("*.md"), *(tmp_path / "results").glob("*.md")):
        assert path.read_text(encoding="utf-8") == (docs / path.relative_to(tmp_path)).read_text(encoding="utf-8")


def test_audit_rows_become_means_and_rank_correlations(study: Study, tmp_path: Path) -> None:
    _tune(study, tmp_path, "easy")
    _report(study, tmp_path, "easy", "better", [0.6])
    directory = Run(study.overrides("easy", "better", ("mu=2",)), 0).directory(tmp_path)
    rows = [
        {
            "round": r,
            "client": c,
            "completeness": c / 10,
            "fedia.indicator": [0, 2, 1, 3][c],
            "fedmlp.tag_precision.0": p,
        }
        for r, p in ((1, 0.1), (2, 0.5))
        for c in range(4)
    ]
    rows[-1]["fedmlp.tag_precision.0"] = None  # undefined: its value of round 1 stands
    (directory / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    outcome = Outcome(study, tmp_path)
    assert outcome.audited("easy", "better", study.audits["precision"]) == {0: pytest.approx((3 * 0.5 + 0.1) / 4)}
    assert outcome.audited("easy", "better", study.audits["rank"]) == {0: pytest.approx(0.8)}


def test_what_globs_match_is_correlated_over_clients_and_classes(study: Study, tmp_path: Path) -> None:
    _tune(study, tmp_path, "easy")
    _report(study, tmp_path, "easy", "better", [0.6])
    directory = Run(study.overrides("easy", "better", ("mu=2",)), 0).directory(tmp_path)
    rows = [
        {"client": 0, "sent.0": 1, "sent.1": 2, "sent.bytes": 9, "variance.0": 0.1, "variance.1": 0.2},
        {"client": 1, "sent.0": 3, "sent.2": 4, "variance.0": 0.4, "variance.2": 0.3, "variance.3": 7},
    ]
    (directory / "audit.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = Outcome(study, tmp_path).audited("easy", "better", ("sent.[0-9]*", "variance.*"))
    assert found == {0: pytest.approx(0.8)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reference: plain", "reference: plane", "no arm is called plane"),
        ("as: better", "as: best", "no arm is called best"),
        ("curves: [better]", "curves: [best]", "no arm is called best"),
        ("use: Better.", "headline: {tuned: test.acc}", "no metric is called test.acc"),
        ("[[mu=1], [mu=2]]", "[[mu=1], [mu=2], [mu=3]]", "equally many candidates"),
    ],
)
def test_a_study_that_does_not_hold_together_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, TEXT.replace(old, new))


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_study_composes(path: Path) -> None:
    from fedmed.config import compose

    study = read(path)
    first = next(iter(study.worlds))
    given = [study.overrides(world, study.reference, ()) for world in study.worlds]
    given += [study.overrides(first, n, candidate) for n, arm in study.arms.items() for candidate in arm.candidates]
    for overrides in dict.fromkeys(given):
        compose.plan([*overrides, "seed=0"], sweep=False)
