import tomllib
from pathlib import Path

from fedmed.deploy.bundle import own_files, read_bundle, write_bundle

OWN = '''
from dataclasses import dataclass

from fedmed.method import Method


@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """Changes nothing."""


def own(probabilities, y, seen):
    return 0.0
'''


def config_yaml(file: Path) -> str:
    return f"strategy:\n  mine:\n    _target_: {file}:Mine\nmetrics:\n- {file}:own\nrounds: 3\n"


def test_a_bundle_carries_the_config_and_the_users_files(tmp_path: Path) -> None:
    file = tmp_path / "test_mine.py"  # Flower leaves files of such a name out
    file.write_text(OWN, encoding="utf-8")
    bundle, there = tmp_path / "bundle", tmp_path / "elsewhere"
    bundle.mkdir()
    write_bundle(bundle, config_yaml(file), tmp_path / 'a "run"', resume=True)
    bundle.rename(there)
    file.unlink()
    experiment, text = read_bundle(there)
    assert text == config_yaml(file)
    assert [type(member).__name__ for member in experiment.methods.members.values()] == ["Mine"]
    assert list(experiment.metrics) == [f"{there}/own/code0.py:own"]


def test_flower_finds_its_apps_the_directory_and_whether_to_resume(tmp_path: Path) -> None:
    write_bundle(tmp_path, "rounds: 3\n", Path('/runs/a "run"'), resume=True)
    flower = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["flwr"]["app"]
    assert flower["config"] == {"directory": '/runs/a "run"', "resume": True}
    for component in flower["components"].values():
        module, _, name = component.partition(":")
        assert f"\n{name} = " in (tmp_path / f"{module}.py").read_text(encoding="utf-8")


def test_every_file_of_the_user_is_named_once() -> None:
    assert own_files(config_yaml(Path("/a/b.py"))) == ["/a/b.py"]
