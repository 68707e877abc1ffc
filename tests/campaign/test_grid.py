"""Which runs a comparison is made of."""

from __future__ import annotations

from collections import Counter

import pytest

from fedmed.comparison.settings import base_name
from fedmed.config.values import Config
from fedmed.errors import UserError
from tests.campaign.conftest import MakeGrid


def test_every_combination_is_one_run(small: MakeGrid) -> None:
    jobs = small("strategy=fedavg,fedprox+fedbn", "seed=0,1", "partition.alpha=0.1,1.0", "model.norm=batch")
    assert len(jobs) == len({job.key for job in jobs}) == len({job.directory for job in jobs}) == 8
    assert jobs[0].label == "partition.alpha=0.1: fedavg seed=0"
    assert jobs[0].directory.name.startswith("fedavg_synthetic_multiclass_seed0_")
    assert Counter(job.kind for job in jobs) == {
        f"partition.alpha={alpha}: {method}": 2 for alpha in ("0.1", "1.0") for method in ("fedavg", "fedprox+fedbn")
    }


def test_without_seeds_there_are_five(small: MakeGrid) -> None:
    assert [job.config["seed"] for job in small("strategy=fedavg")] == [0, 1, 2, 3, 4]


def test_an_option_of_a_method_makes_no_second_run_of_another(small: MakeGrid) -> None:
    jobs = small("strategy=fedavg,fedprox", "strategy.fedprox.mu=0.01,0.1", "seed=0")
    assert [job.label for job in jobs] == ["fedavg seed=0", "fedprox mu=0.01 seed=0", "fedprox mu=0.1 seed=0"]


def test_the_same_run_has_the_same_place_in_every_grid(small: MakeGrid) -> None:
    small_grid = {job.directory for job in small("strategy=fedavg,fedprox", "seed=0,1")}
    assert small_grid < {job.directory for job in small("strategy=fedavg,fedprox,moon", "seed=0,1,2")}


def test_references_stand_beside_every_world_and_seed(small: MakeGrid) -> None:
    given = ("strategy=fedprox,scaffold", "seed=0,1", "partition.alpha=0.1,1.0")
    jobs = small(*given, references=True)
    found = Counter(base_name(job.config) for job in jobs)
    assert found == {"fedprox": 4, "scaffold": 4, "local-only": 4, "pooled": 4}
    assert len(small(*given)) == 8


def test_a_reference_differs_from_a_run_of_fedavg_in_nothing_else(small: MakeGrid) -> None:
    given = ("optimizer.lr=0.05", "epochs=2", "annotation=label_noise", "clients_per_round=2", "seed=3")
    fedavg, alone, pooled = small("strategy=fedavg", *given, references=True)
    own = dict(alone.config["strategy.fedavg"])
    assert own.pop("local") == ["*"]
    assert own | {"local": []} == fedavg.config["strategy.fedavg"] == pooled.config["strategy.fedavg"]
    assert _rest(alone.config) == _rest(fedavg.config) == _rest(pooled.config) | {"pooled": False}


def test_nothing_is_sent_in_a_reference_so_nothing_is_done_to_it(small: MakeGrid) -> None:
    jobs = small("strategy=fedavg", "server=average,adam", "compression=quantise", "seed=0", references=True)
    assert Counter(base_name(job.config) for job in jobs) == {"fedavg": 2, "local-only": 1, "pooled": 1}
    for job in jobs[2:]:
        chosen = [job.config.text(group) for group in ("server", "compression", "privacy")]
        assert chosen == ["average", "none", "none"]


def test_references_that_are_asked_for_are_not_made_twice(small: MakeGrid) -> None:
    jobs = small("strategy=fedavg", "pooled=false,true", "seed=0", references=True)
    assert [base_name(job.config) for job in jobs] == ["fedavg", "pooled", "local-only"]


def test_faults_of_all_runs_are_told_together(small: MakeGrid) -> None:
    with pytest.raises(UserError) as caught:
        small("strategy=fedavg,fedproxx", "seed=0,x", "clients_per_round=2,9", "bogus=1")
    where = [fault.where for fault in caught.value.faults]
    assert {"strategy", "seed", "clients_per_round", "bogus"} <= set(where)
    assert len(where) == len(set(map(str, caught.value.faults)))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("resume=runs/x", "resumes by itself"),
        ("hydra.run.dir=x", "--runs=FOLDER"),
        ("hydra.sweep.dir=x", "--runs=FOLDER"),
        ("strategy.mu=0.1", r"Write strategy\.fedprox\.mu="),
    ],
)
def test_what_a_comparison_decides_itself_is_refused(override: str, words: str, small: MakeGrid) -> None:
    with pytest.raises(UserError, match=words):
        small("strategy=fedprox", override)


def _rest(config: Config) -> dict[str, object]:
    return {name: value for name, value in config.values.items() if name != "strategy"}
