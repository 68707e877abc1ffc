"""Jobs files: read, and refused with all that is wrong with them."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.scheduling.reading import jobs_from, read_jobs

FILE = """\
delta: 1e-4
accounting: epsilon
run: [rounds=3]
blocks:
  north: 3.0
  south/q2: {capacity: 2, hospital: south, since: 1}
  south/q1: {capacity: 2, hospital: south}
jobs:
  - {name: late, analyst: bob, demand: {north: 1}, arrives: 2, patience: 3, weight: 0.5}
  - {name: cells, analyst: alice, demand: 0.5, loss: 0.7, run: [epochs=2]}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "jobs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_jobs(path)
    return [str(fault).replace(str(path), "FILE") for fault in caught.value.faults]


def test_a_file(tmp_path: Path) -> None:
    found = read_jobs(written(tmp_path, FILE))
    assert found.delta == 1e-4
    assert [block.name for block in found.blocks] == ["north", "south/q2", "south/q1"]
    assert found.blocks[1].since == 1.0
    assert found.hospitals == ["north", "south"]
    assert found.analysts == ["alice", "bob"]
    cells, late = found.jobs  # by their arrival
    assert (late.name, late.arrives, late.patience, late.weight) == ("late", 2.0, 3.0, 0.5)
    assert (cells.demand, cells.weight, cells.patience) == (
        dict.fromkeys(("north", "south/q2", "south/q1"), 0.5),
        0.7,
        inf,
    )
    assert (cells.run, late.run) == (("rounds=3", "epochs=2"), ("rounds=3",))


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    text = """\
delta: 2
accounting: renyy
runs: []
blocks: {north: 3.0, south: -1, east: {capacity: 1, sinse: 0}}
jobs:
  - {name: a, analyst: x, demand: {nort: 1}}
  - {name: a, analyst: x, demand: {north: -1}}
  - {name: b, analyst: x, demand: {north: 4}, weight: 0, run: rounds=3}
  - {name: c, analyst: x, demand: {}}
  - {name: d, analyst: x, demand: 1, loss: 1, weight: 1}
  - {name: e, demand: 1}
"""
    message = faults(written(tmp_path, text))
    assert message == [
        "FILE: jobs file: expected delta, accounting, run, blocks, jobs, got runs. Did you mean run?",
        "FILE: delta: expected a number > 0 and < 1, got 2.",
        "FILE: accounting: expected epsilon or renyi, got renyy.",
        "FILE: blocks.south.capacity: expected a number > 0, got -1.",
        "FILE: blocks.east: expected capacity, hospital, since, got sinse. Did you mean since?",
        "FILE: jobs.a.demand: expected blocks of the file, got nort. Did you mean north?",
        "FILE: jobs.a.demand.north: expected a number >= 0, got -1.",
        "FILE: jobs.b.weight: expected a number > 0, got 0.",
        "FILE: jobs.b.run: expected a list of options of fedmed run, got rounds=3. "
        "Write, for instance, [rounds=5, epochs=2].",
        "FILE: jobs.d.loss: expected weight or loss, not both, got both. Leave one of them out.",
        "FILE: jobs, number 6: expected a job with name, analyst and demand, got {'name': 'e', 'demand': 1}.",
        "FILE: jobs: expected jobs of different names, got 2 named a. Rename all but one.",
        "FILE: jobs.a.demand: expected an epsilon above 0 of some block, got none. "
        "Name the blocks whose images it uses, with an epsilon above 0.",
        "FILE: jobs.b.demand.north: expected at most the block's capacity, 3, got 4. "
        "It could never be granted: ask for less.",
        "FILE: jobs.c.demand: expected an epsilon above 0 of some block, got none. "
        "Name the blocks whose images it uses, with an epsilon above 0.",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blocks: [", "expected a file of YAML"),
        ("- 1", "expected blocks and jobs by name, got list"),
        ("jobs: []", "expected blocks by name, at least one, got nothing"),
        ("blocks: {a: 1}\njobs: all", "expected a list of jobs, got all"),
        ("blocks: {a: .inf}\njobs: []", "expected a number > 0, got inf"),
        ("blocks: {a: yes}\njobs: []", "expected a number > 0, got True"),
        (
            "blocks: {a: 1}\njobs: [{name: a, analyst: b, demand: much}]",
            "jobs.a.demand: expected a number >= 0, got much",
        ),
        ("blocks: {a: 1}\naccounting: renyi\njobs: [{name: a, analyst: b, demand: 0.1}]", "expected more than 0.183"),
        ("blocks: {a: 1}\njobs: [{name: a, analyst: b, demand: 1, loss: good}]", "expected a number > 0, or from="),
    ],
)
def test_what_is_no_jobs_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert words in "\n".join(faults(written(tmp_path, text)))


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path: Path) -> None:
    assert "expected a jobs file, got No such file" in faults(tmp_path / "none.yaml")[0]
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\x00")
    assert "expected a file of YAML" in faults(tmp_path / "odd.yaml")[0]


def test_from_python_a_mapping_will_do() -> None:
    found = jobs_from({"blocks": {"a": 1}, "jobs": [{"name": "j", "analyst": "x", "demand": {"a": 0.5}}]})
    assert found.jobs[0].demand == {"a": 0.5}
