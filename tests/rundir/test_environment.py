import json
import subprocess
import sys
from pathlib import Path

import pytest

import fedmed
from fedmed.rundir import environment as module
from fedmed.rundir.environment import environment


def test_it_names_versions_and_machine_and_fits_json() -> None:
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["fedmed"] == fedmed.__version__
    assert found["python"] == sys.version.split()[0]
    assert str(found["torch"]).startswith("2.")
    assert isinstance(found["memory"], float)
    assert found["memory"] > 0.1
    assert {"flwr", "numpy", "monai", "platform", "cpu", "cpus", "torch_threads", "commit", "command"} <= set(found)


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert module._version("no-such-package-at-all") is None


def test_the_home_folder_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    line = module._command(["/home/ada/.venv/bin/fedmed", "run", "dataset.path=/home/ada/x.npz", "a=/home/adam"])
    assert line == "fedmed run dataset.path=~/x.npz a=/home/adam"
    assert module._command([]) == ""


def test_the_command_can_be_typed_again() -> None:
    line = module._command(["/usr/lib/python3/site-packages/fedmed/__main__.py", "run", "scopes=[test]", "a=b c"])
    assert line == "python -m fedmed run 'scopes=[test]' 'a=b c'"


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_the_commit_of_a_checkout_and_whether_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert module._commit(tmp_path) is None
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "a")
    git(tmp_path, "tag", "v1")
    commit = module._commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert module._commit(tmp_path) == f"{commit}-dirty"


def test_no_commit_without_a_checkout_or_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._commit(tmp_path) is None
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._commit(tmp_path) is None
