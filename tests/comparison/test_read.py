"""Runs become arms, worlds and seeds; what cannot be compared is refused by name, what cannot be read is skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fedmed.comparison.read import read
from fedmed.errors import UserError
from tests.fabricated import CONFIG, run, runs, strategy


def test_arms_are_methods_and_seeds_are_seeds(tmp_path: Path) -> None:
    paths = runs(tmp_path, {"fedprox": [0.1, 0.2], "fedavg": [0.3, 0.4]})
    found = read(paths)
    assert found.arms == ("fedavg", "fedprox")  # the reference first
    assert found.worlds == ("synthetic_multiclass",)
    assert found.seeds == (0, 1)
    assert found.reference == "fedavg"
    assert (found.metric, found.greater) == ("auc", True)
    assert found.values("synthetic_multiclass", "fedprox", "test.auc") == {0: 0.1, 1: 0.2}
    assert found.notes == ()


def test_a_folder_is_searched_and_gives_the_same(tmp_path: Path) -> None:
    paths = runs(tmp_path / "deep" / "er", {"fedavg": [0.3, 0.4], "fedprox": [0.1, 0.2]})
    assert read([tmp_path]).runs.keys() == read(paths).runs.keys()
    assert read([tmp_path, *paths]).notes == ()  # a directory that is named twice is one run


def _tweaked(**changes: Any) -> dict[str, Any]:
    """A group of the config with fields changed, by group."""
    return {group: {**CONFIG[group], **fields} for group, fields in changes.items()}


def test_worlds_are_named_by_what_differs(tmp_path: Path) -> None:
    for alpha in (0.1, 1.0):
        run(tmp_path / str(alpha), config=_tweaked(partition={"alpha": alpha}))
    assert set(read([tmp_path]).worlds) == {"partition.alpha=0.1", "partition.alpha=1.0"}


def test_a_world_of_another_option_is_named_by_the_option_and_its_own_fields(tmp_path: Path) -> None:
    iid = {"_target_": "fedmed.data.partition.sizes.IidPartition", "min_size": 1}
    run(tmp_path / "iid", config={"partition": iid})
    for alpha in (0.1, 1.0):
        run(tmp_path / str(alpha), config=_tweaked(partition={"alpha": alpha}))
    names = {"partition=iid", "partition=dirichlet alpha=0.1", "partition=dirichlet alpha=1.0"}
    assert set(read([tmp_path]).worlds) == names


def test_a_dataset_is_named_by_its_set_or_its_file_wherever_it_lies(tmp_path: Path) -> None:
    npz, sets = "fedmed.datasets.npz.Npz", "fedmed.datasets.medmnist.Medmnist"
    run(tmp_path / "a", config={"dataset": {"_target_": npz, "path": "/here/nuclei.npz"}})
    run(tmp_path / "b", seed=1, config={"dataset": {"_target_": npz, "path": "/there/nuclei.npz"}})
    run(tmp_path / "c", config={"dataset": {"_target_": sets, "name": "breastmnist", "root": "/here"}})
    run(tmp_path / "d", seed=1, config={"dataset": {"_target_": sets, "name": "breastmnist", "root": "/there"}})
    found = read([tmp_path])
    assert set(found.worlds) == {"nuclei", "breastmnist"}
    assert len(found.runs) == 4


def test_arms_of_one_method_are_named_by_what_differs_and_no_more(tmp_path: Path) -> None:
    for mu in (0.01, 0.1):
        for seed in (0, 1):
            config = {"strategy": strategy("fedprox", mu=mu)} | _tweaked(optimizer={"lr": mu})
            run(tmp_path / f"{mu}_{seed}", seed=seed, config=config)
    run(tmp_path / "avg")
    found = read([tmp_path])
    assert set(found.arms) == {"fedavg", "fedprox mu=0.01", "fedprox mu=0.1"}
    # the name says one of the two settings that changed together, the note the other
    assert found.notes == (
        "Arms differ in optimizer.lr, which is 0.01 for fedprox mu=0.01; 0.1 for fedprox mu=0.1, fedavg.",
    )


def test_what_most_arms_of_a_method_share_goes_unsaid_in_names_and_is_noted(tmp_path: Path) -> None:
    for alpha, weight in ((0.1, 3.0), (1.0, 0.3)):  # an ablation around a centre that is tuned in each world
        for number, changed in enumerate(({}, {"mu": 0.0}, {"proximal": "l1"}, {"weight": 9.0})):
            fields = {"mu": 0.1, "proximal": "l2", "weight": weight, **changed}
            config = _tweaked(partition={"alpha": alpha}) | {"strategy": strategy("mine", **fields)}
            run(tmp_path / f"{alpha}{number}", config=config)
    found = read([tmp_path])
    assert set(found.arms) == {"mine", "mine mu=0.0", "mine proximal=l1", "mine weight=9.0"}
    note = "mine in partition.alpha=1.0 has mu=0.1, proximal=l2, weight=0.3 where its name does not say otherwise."
    assert note in found.notes


def test_values_of_an_axis_are_all_said(tmp_path: Path) -> None:
    for mu in (0.01, 0.1, 1.0):
        for rate in (0.1, 0.2):
            config = {"strategy": strategy("fedprox", mu=mu)} | _tweaked(optimizer={"lr": rate})
            run(tmp_path / f"{mu}{rate}", config=config)
    assert len(read([tmp_path]).arms) == 6
    assert all("mu=" in arm and "lr=" in arm for arm in read([tmp_path]).arms)


def test_what_is_tuned_in_each_world_makes_no_arms(tmp_path: Path) -> None:
    for alpha, mu in ((0.1, 0.5), (1.0, 0.001)):
        config = _tweaked(partition={"alpha": alpha}) | {"strategy": strategy("fedprox", mu=mu)}
        run(tmp_path / str(alpha), config=config)
    assert read([tmp_path]).arms == ("fedprox",)


def test_members_of_a_chain_keep_their_names(tmp_path: Path) -> None:
    for mu in (0.01, 0.1):
        run(tmp_path / str(mu), config={"strategy": strategy("fedprox", mu=mu) | strategy("fedbn")})
    assert set(read([tmp_path]).arms) == {"fedprox+fedbn fedprox.mu=0.01", "fedprox+fedbn fedprox.mu=0.1"}


def test_references_are_told_by_their_names_and_come_last(tmp_path: Path) -> None:
    run(tmp_path / "p", config={"pooled": True, "rounds": 9})
    run(tmp_path / "l", config={"strategy": strategy("fedavg", local=["*"])})
    run(tmp_path / "a", config={"strategy": strategy("scaffold")})
    assert read([tmp_path]).arms == ("scaffold", "local-only", "pooled")


def test_an_option_that_moved_to_another_module_is_the_same_option(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", seed=1, config=_tweaked(server={"_target_": "fedmed.server.AverageServerOptimizer"}))
    assert read([tmp_path]).arms == ("fedavg",)


@pytest.mark.parametrize("changes", [{"device": "cuda"}, {"engine": {"_target_": "fedmed.engine.pool.PoolEngine"}}])
def test_where_and_how_a_run_was_done_tells_nothing_apart(tmp_path: Path, changes: dict[str, Any]) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", seed=1, config=changes)
    found = read([tmp_path])
    assert (found.arms, len(found.worlds)) == (("fedavg",), 1)


def test_settings_that_an_older_run_does_not_have_tell_nothing_apart(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b", seed=1, config={"precision": "full", "sampling": {"_target_": "x.UniformSampling"}})
    found = read([tmp_path])
    assert (found.arms, len(found.worlds)) == (("fedavg",), 1)


def test_fields_that_an_option_has_gained_since_are_at_their_defaults(tmp_path: Path) -> None:
    for number, width in enumerate(({"width": 16}, {"width": 32}, {})):
        run(tmp_path / str(number), seed=number, config={"model": {"_target_": CONFIG["model"]["_target_"], **width}})
    assert set(read([tmp_path]).worlds) == {"model.width=16", "model.width=32"}


def test_a_seed_of_the_data_that_follows_the_runs_makes_no_worlds(tmp_path: Path) -> None:
    for seed in (0, 1):
        run(tmp_path / str(seed), seed=seed, config=_tweaked(dataset={"seed": seed}))
    assert len(read([tmp_path]).worlds) == 1
    run(tmp_path / "other", seed=2, config=_tweaked(dataset={"seed": 7}))
    assert len(read([tmp_path]).worlds) == 3


@pytest.mark.parametrize("mark", ["data", "test", "fedmed"])
def test_runs_of_one_seed_with_other_data_or_code_are_refused_by_name(tmp_path: Path, mark: str) -> None:
    runs(tmp_path, {"fedavg": [0.1, 0.1], "fedbn": [0.2, 0.2]})
    odd = run(tmp_path / "odd", auc=0.3, config={"strategy": strategy("scaffold")}, marks={"data": "d", mark: "other"})
    with pytest.raises(UserError) as refused:
        read([tmp_path])
    assert [fault.where for fault in refused.value.faults] == [str(odd)]
    assert "--force" in str(refused.value)
    found = read([tmp_path], force=True)
    assert len(found.runs) == 5
    assert str(odd) in found.notes[0]
    assert "force" in found.notes[0]


def test_data_may_differ_between_seeds_and_worlds(tmp_path: Path) -> None:
    for seed, alpha in ((0, 0.1), (1, 0.1), (0, 1.0)):
        config = _tweaked(partition={"alpha": alpha})
        run(tmp_path / f"{seed}{alpha}", seed=seed, config=config, marks={"data": f"{seed}{alpha}"})
    assert read([tmp_path]).notes == ()


def test_one_method_with_two_sources_is_refused_across_seeds(tmp_path: Path) -> None:
    run(tmp_path / "a", seed=0, marks={"strategy": "old"})
    run(tmp_path / "b", seed=1, marks={"strategy": "old"})
    run(tmp_path / "c", seed=2, marks={"strategy": "new"})
    with pytest.raises(UserError, match=r"/c: expected one version of a method's code"):
        read([tmp_path])


def test_seeds_of_an_arm_whose_method_read_other_files_are_refused(tmp_path: Path) -> None:
    arms = [{"strategy": strategy("fedegoists", path=path)} for path in ("a.csv", "b.csv")]
    for number, (config, seed, files) in enumerate(((arms[0], 0, "x"), (arms[0], 1, "x"), (arms[1], 0, "y"))):
        run(tmp_path / f"{number}", seed=seed, config=config, marks={"files": files})
    assert len(read([tmp_path]).arms) == 2, "arms may read other files"
    odd = run(tmp_path / "odd", seed=2, config=arms[0], marks={"files": "z"})
    with pytest.raises(UserError, match="one content of the files that it reads") as refused:
        read([tmp_path])
    assert str(odd) in str(refused.value)


def test_runs_without_marks_are_compared_and_that_is_said(tmp_path: Path) -> None:
    run(tmp_path / "a", marks=None)
    assert "The runs do not tell" in read([tmp_path]).notes[0]
    run(tmp_path / "b", seed=1)
    assert "1 of 2 runs do not tell" in read([tmp_path]).notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("final.json", '{"test.auc": ', "final.json"),
        ("final.json", None, "final.json"),
        ("config.yaml", "a: [", "config.yaml"),
        ("config.yaml", "seed: 0", "config.yaml"),
        ("config.yaml", "seed: 0\nstrategy: {fedavg: 1}", "config.yaml"),
        ("config.yaml", "seed: 0\nstrategy: {fedavg: {_target_: x}}", "config.yaml"),
        ("config.yaml", "seed: 0\nstrategy: {fedavg: {_target_: a.B, local: 1}}", "config.yaml"),
        ("config.yaml", "seed: 0\nstrategy: {fedavg: {_target_: a.B}}\ndataset: {_target_: 3}", "config.yaml"),
        ("config.yaml", None, "config.yaml"),
        ("run.json", None, "run.json"),
        ("run.json", json.dumps({"format": 1, "status": "running"}), "not ended"),
        ("run.json", json.dumps({"format": 9, "status": "finished"}), "format 9"),
    ],
)
def test_a_damaged_or_unfinished_run_is_named_and_skipped(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    run(tmp_path / "whole")
    broken = run(tmp_path / "broken", seed=1)
    (broken / name).unlink() if content is None else (broken / name).write_text(content, encoding="utf-8")
    found = read([tmp_path])
    assert len(found.runs) == 1
    [note] = found.notes
    assert str(broken) in note
    assert message in note


def test_marks_of_a_stranger_are_compared_as_text(tmp_path: Path) -> None:
    run(tmp_path / "a", marks={"data": ["x"]})
    run(tmp_path / "b", seed=1, marks={"data": ["x"], "strategy": {"a": 1}})
    assert len(read([tmp_path], force=True).runs) == 2


def test_nothing_to_read_is_refused_with_what_was_skipped(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none at all"):
        read([tmp_path])
    with pytest.raises(UserError, match="nothing there"):
        read([tmp_path / "absent"])
    run(tmp_path / "a")
    (tmp_path / "a" / "final.json").unlink()
    with pytest.raises(UserError, match=r"a was skipped: final\.json"):
        read([tmp_path])


def test_a_reference_that_is_not_there_is_refused(tmp_path: Path) -> None:
    runs(tmp_path, {"fedavg": [0.1], "fedprox": [0.2]})
    assert read([tmp_path], reference="fedprox").arms == ("fedprox", "fedavg")
    with pytest.raises(UserError, match="Did you mean fedprox"):
        read([tmp_path], reference="fedprx")


def test_of_two_runs_in_one_place_the_later_counts(tmp_path: Path) -> None:
    old = run(tmp_path / "b", auc=0.1, created="2026-01-01T00:00:00+00:00")
    run(tmp_path / "a", auc=0.9, created="2026-01-02T00:00:00+00:00")
    found = read([tmp_path])
    assert found.values("synthetic_multiclass", "fedavg", "test.auc") == {0: 0.9}
    assert str(old) in found.notes[0]


def test_of_two_runs_in_one_place_the_order_of_paths_does_not_matter(tmp_path: Path) -> None:
    new = run(tmp_path / "new", auc=0.9, created="2026-01-02T00:00:00+00:00")
    old = run(tmp_path / "old", auc=0.1, created="2026-01-01T00:00:00+00:00")
    for paths in ([new, old], [old, new]):
        assert read(paths).values("synthetic_multiclass", "fedavg", "test.auc") == {0: 0.9}


def test_files_are_told_by_their_names_wherever_they_lie(tmp_path: Path) -> None:
    for seed, place in enumerate(("/here", "/there")):
        run(tmp_path / f"mine{seed}", seed=seed, config={"loss": f"{place}/losses.py:mine"})
        run(tmp_path / f"other{seed}", seed=seed, config={"loss": f"{place}/losses.py:other"})
    assert set(read([tmp_path]).arms) == {"fedavg loss=losses.py:mine", "fedavg loss=losses.py:other"}


def test_rows_are_read_when_asked_for(tmp_path: Path) -> None:
    folder = run(tmp_path / "a", curve=[0.1, 0.2])
    (folder / "rounds.jsonl").write_text("damaged\n", encoding="utf-8")
    found = read([tmp_path])
    with pytest.raises(UserError, match=r"rounds\.jsonl, line 1"):
        _ = next(iter(found.runs.values())).rounds
