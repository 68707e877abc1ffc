"""Run directories of strangers: nothing that they name runs unless the user has named it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from fedmed.config.build import experiment_from
from fedmed.config.stored import code_of, read_stored
from fedmed.errors import UserError
from fedmed.run import predict, resume
from fedmed.run import run as run_experiment
from fedmed.terminal.progress import make_run_display
from tests.run.conftest import IMAGES, SMALL, Run, StopAfter

PROOF = "from pathlib import Path\nPath({proof!r}).touch()\n"
MODEL = """
from dataclasses import dataclass

from fedmed.models.net import Model
from fedmed.models.small_cnn import SmallCnn


@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    tasks = ("multiclass",)

    def build(self, channels, outputs, side):
        return SmallCnn(width=4).build(channels, outputs, side)
"""
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run with a checkpoint."""
    folder = tmp_path_factory.mktemp("made") / "kept"
    config = experiment_from([*SMALL, *IMAGES, "model.width=4", "rounds=2"])
    with pytest.raises(KeyboardInterrupt):
        run_experiment(config, folder, show=StopAfter(1))
    return folder


@pytest.fixture
def strange(made: Path, tmp_path: Path) -> Callable[[str, Any], Path]:
    """strange(option, value): the directory of a run, of whose config a stranger has changed an option."""

    def change(option: str, value: Any) -> Path:
        copytree(made, tmp_path / "kept")
        config = OmegaConf.load(tmp_path / "kept/config.yaml")
        OmegaConf.update(config, option, value, merge=False)
        (tmp_path / "kept/config.yaml").write_text(OmegaConf.to_yaml(config), encoding="utf-8")
        return tmp_path / "kept"

    return change


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A file that leaves `proof` behind when it runs."""
    file = tmp_path / "evil.py"
    file.write_text(PROOF.format(proof=str(tmp_path / "proof")) + "def f(*_): ...\n", encoding="utf-8")
    return file


@pytest.fixture
def images(tmp_path: Path) -> Path:
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 28, 28), np.uint8))
    return tmp_path / "images.npz"


OPTIONS = ("model", "dataset", "engine", "tracking", "augment", "partition", "server", "strategy.fedavg")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((option, {"_target_": "{evil}:f"}) for option in OPTIONS),
        ("model", {"_target_": "subprocess.getoutput", "cmd": "touch {proof}"}),
        ("model", {"_target_": "builtins.exec"}),
        ("engine", {"_target_": "os.system", "command": "touch {proof}"}),
        ("strategy", {"x": {"_target_": "os.system", "command": "touch {proof}"}}),
        ("metrics", ["{evil}:f"]),
        ("metrics", ["os.system"]),
        ("loss", "{evil}:f"),
        ("loss", "os.system"),
    ],
)  # fmt: skip
def test_a_resumed_run_imports_and_calls_nothing_that_the_user_has_not_named(
    option: str, value: Any, strange: Callable[[str, Any], Path], evil: Path, tmp_path: Path, fedmed: Call
) -> None:
    folder = strange(option, filled(value, evil=evil, proof=tmp_path / "proof"))
    code, _, err = fedmed("run", f"resume={folder}")
    assert code == 2
    assert option.partition(".")[0] in err
    assert not (tmp_path / "proof").exists()


def filled(value: Any, **words: Path) -> Any:
    if isinstance(value, dict):
        return {key: filled(inner, **words) for key, inner in value.items()}
    return [filled(inner, **words) for inner in value] if isinstance(value, list) else value.format(**words)


@pytest.mark.parametrize("target", ["{evil}:f", "subprocess.getoutput"])
def test_predict_builds_no_model_that_the_user_has_not_named(
    target: str, strange: Callable[[str, Any], Path], evil: Path, images: Path, tmp_path: Path, fedmed: Call
) -> None:
    folder = strange("model", filled({"_target_": target, "cmd": "touch {proof}"}, evil=evil, proof=tmp_path / "proof"))
    code, _, err = fedmed("predict", folder, images)
    assert code == 2
    assert "model: expected an option of fedmed's" in err
    assert not (tmp_path / "proof").exists()


def test_what_came_with_the_run_counts_as_a_strangers_even_among_the_users_folders(
    strange: Callable[[str, Any], Path], tmp_path: Path, fedmed: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept/models/mine.py"
    folder = strange("model", {"_target_": f"{file}:Mine"})
    file.parent.mkdir()
    file.write_text(PROOF.format(proof=str(tmp_path / "proof")) + MODEL, encoding="utf-8")
    monkeypatch.setenv("FEDMED_PATH", str(folder))
    assert fedmed("run", f"resume={folder}")[0] == 2
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("text", ["${oc.env:SECRET}", "a${oc.env:SECRET}b", "${dataset.path}"])
def test_a_config_is_read_without_resolving_anything(
    text: str, strange: Callable[[str, Any], Path], images: Path, fedmed: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "confidential")
    folder = strange("device", "cpu")
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("seed: 0", f"seed: '{text}'"),
        ("width: 4", f"width: '{text}'"),
        ("fedmed.tracking.contract.NoneTracking", text),
    ):
        assert old in config
        (folder / "config.yaml").write_text(config.replace(old, new), encoding="utf-8")
        for command in (("run", f"resume={folder}"), ("predict", folder, images), ("watch", folder, "--once")):
            code, out, err = fedmed(*command)
            assert "confidential" not in out + err
            assert "Traceback" not in err
            assert code in (0, 2)
    assert fedmed("run", f"resume={folder}")[0] == 2


def test_a_config_that_refers_to_parts_of_itself_is_refused_at_once(
    strange: Callable[[str, Any], Path], images: Path, fedmed: Call
) -> None:
    folder = strange("device", "cpu")
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text(encoding="utf-8") + bomb, encoding="utf-8")
    (folder / "final.json").write_text("{}", encoding="utf-8")
    for command in (("run", f"resume={folder}"), ("predict", folder, images), ("watch", folder, "--once")):
        assert fedmed(*command)[0] in (0, 2)
    assert fedmed("compare", "--from", folder)[0] == 2


def test_own_code_runs_again_when_it_is_named_and_is_said_first(run: Run, tmp_path: Path, images: Path) -> None:
    (tmp_path / "mine.py").write_text(MODEL, encoding="utf-8")
    run("kept", "model=mine.py:Mine", "rounds=2", stop=1)
    folder, file, show = tmp_path / "kept", tmp_path / "mine.py", make_run_display(quiet=True)
    assert code_of(read_stored(folder)) == [file]
    with pytest.raises(UserError, match=f"--trust {file}"):
        resume(folder, overrides=[], show=show)
    with pytest.raises(UserError, match=f"--trust {file}"):
        predict(folder, images)
    message: list[str] = []
    show.note = message.append  # type: ignore[method-assign]
    resume(folder, overrides=[], show=show, trusted=[tmp_path])
    assert message[0] == f"{folder} imports {file}"
    predict(folder, images, trusted=[file], say=message.append)
    assert message[-1] == f"{folder} imports {file}"


def test_methods_in_the_users_own_folder_need_no_word(run: Run, tmp_path: Path, fedmed: Call) -> None:
    assert fedmed("new", "mine", "--dir", "strategies")[0] == 0
    run("kept", "strategy=mine", "rounds=2", stop=1)
    code, _, err = fedmed("run", "resume=kept")
    assert code == 0, err
    assert f"kept imports {tmp_path / 'strategies/mine.py'}" in err
    assert fedmed("run", "rounds=1", "--trust", ".")[0] == 2
