"""What tells whether two runs can be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

import fedmed
from fedmed.config.build import build, experiment_from, from_yaml
from fedmed.run import resume
from fedmed.run.identity import identity
from fedmed.run.parts import build_parts
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.progress import make_run_display
from tests.run.conftest import Run
from tests.run.traces import trace

FEW = ("dataset.images=160", "dataset.test_images=40", "clients=3")


def marks(*overrides: str) -> dict[str, str]:
    return dict(build_parts(experiment_from([*FEW, *overrides])).fingerprints)


def changed(*overrides: str) -> set[str]:
    before, after = marks(), marks(*overrides)
    return {name for name in before if before[name] != after[name]}


def test_marks_tell_data_test_set_methods_and_version_apart() -> None:
    assert marks()["fedmed"] == fedmed.__version__
    assert changed() == set()
    assert changed("dataset.seed=1") == {"data", "test"}
    assert changed("strategy=fedprox") == {"strategy"}
    assert changed("strategy=fedavg+fedprox") == {"strategy"}
    assert changed("seed=1", "partition=iid", "annotation=label_noise", "pooled=true", "strategy.local=[*]") == set()


def test_a_method_of_ones_own_is_marked_by_what_its_file_says(tmp_path: Path) -> None:
    found = []
    for folder, value in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        source = f"from dataclasses import dataclass\nfrom fedmed.method import Method\n\nVALUE = {value}\n\n\n"
        source += '@dataclass(frozen=True, kw_only=True)\nclass Mine(Method):\n    """Mine."""\n'
        (tmp_path / folder / "mine.py").write_text(source, encoding="utf-8")
        found.append(marks(f"strategy={tmp_path}/{folder}/mine.py")["strategy"])
    assert found[0] == found[1] != found[2]


def test_a_private_module_of_a_method_marks_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = marks("strategy=fedplvm")["strategy"], marks("strategy=moon")["strategy"]
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path.name == "_finch.py"))
    after = marks("strategy=fedplvm")["strategy"], marks("strategy=moon")["strategy"]
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_class_of_a_module_of_ones_own_is_marked_by_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from dataclasses import dataclass\n\nfrom fedmed.server.failures import NoneFailures\n\n\n"
    source += '@dataclass(frozen=True, kw_only=True)\nclass Mine(NoneFailures):\n    """Nobody."""\n'
    (tmp_path / "own_failures.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    mine = replace(experiment_from(FEW), failures=import_module("own_failures").Mine())
    before = build_parts(mine)
    (tmp_path / "own_failures.py").write_text(f"{source}    # of nobody\n", encoding="utf-8")
    after = build_parts(mine)
    assert "files" not in marks()
    assert before.fingerprints["files"] != after.fingerprints["files"]
    assert before.identity != after.identity


def test_a_run_keeps_its_marks(run: Run, tmp_path: Path) -> None:
    run("one", "rounds=1")
    assert RunDirectory.open(tmp_path / "one").fingerprints.keys() == {"data", "test", "strategy", "fedmed"}


def test_a_run_of_a_version_that_lacked_settings_goes_on(run: Run, tmp_path: Path) -> None:
    run("stopped", stop=1)
    run("straight")
    text = (tmp_path / "stopped/config.yaml").read_text(encoding="utf-8")
    gone = ("patience: null\n", "  milestones: []\n", "  dropout: 0.0\n")
    for lines in gone:
        assert lines in text
        text = text.replace(lines, "")
    (tmp_path / "stopped/config.yaml").write_text(text, encoding="utf-8")
    parts, about = build_parts(build(from_yaml(text))), tmp_path / "stopped/run.json"
    kept = json.loads(about.read_text(encoding="utf-8"))
    then = identity(parts.requested, parts.world, parts.net, kept=from_yaml(text))
    assert then != kept["identity"]
    about.write_text(json.dumps({**kept, "identity": then}), encoding="utf-8")
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert trace(tmp_path / "stopped") == trace(tmp_path / "straight")
