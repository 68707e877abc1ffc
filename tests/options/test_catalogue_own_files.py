"""Options in files of the user's: every group takes them, from a path and from its folder, whatever they are called."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from fedmed.config.build import experiment_from
from fedmed.config.compose import compose
from fedmed.config.values import Config
from fedmed.errors import UserError
from fedmed.options.catalogue import discover
from fedmed.options.groups import GROUPS
from fedmed.strategies.fedprox import FedProx

OWN = {
    "strategy": "from fedmed.method import Method",
    "dataset": "from fedmed.data.examples import Dataset",
    "model": "from fedmed.models.net import Model",
    "partition": "from fedmed.data.partition.contract import Partition",
    "annotation": "from fedmed.data.annotation import Annotation",
    "shift": "from fedmed.data.shift import Shift",
    "augment": "from fedmed.data.augment import Augment",
    "engine": "from fedmed.engine.base import Engine",
    "server": "from fedmed.server.optimizers import ServerOptimizer",
    "sampling": "from fedmed.server.sampling import Sampling",
    "failures": "from fedmed.server.failures import Failures",
    "system": "from fedmed.server.system import System",
    "compression": "from fedmed.compression import Compression",
    "privacy": "from fedmed.server.privacy import Privacy",
    "tracking": "from fedmed.tracking.contract import Tracking",
}
TEXT = '''\
from dataclasses import dataclass

{bring}


@dataclass(frozen=True, kw_only=True)
class Mine({base}):
    """One of the user's own.

    much: how much.
    """

    much: float = 0.5
    __abstractmethods__ = frozenset()
'''
ODD = ["random.py", "torch.py", "iid.py", "it's, mine+yours (1).py", "a=b [c].py"]


def write(file: Path, group: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(TEXT.format(bring=OWN[group], base=GROUPS[group].base), encoding="utf-8")
    return file


def targets(config: Config) -> dict[str, str]:
    """What each group of a config builds."""
    return {node.group: node.target for node in config.nodes()}


@pytest.mark.parametrize("name", ODD)
def test_files_are_chosen_by_their_paths(home: Path, name: str) -> None:
    files = {group: write(home / "own" / group / name, group) for group in GROUPS}
    wanted = {group: f"{file}:Mine" for group, file in files.items()}
    assert targets(compose([f"{group}=own/{group}/{name}" for group in GROUPS])) == wanted
    assert targets(compose([f"{group}={file}:Mine" for group, file in files.items()])) == wanted
    mine = compose([f"partition={files['partition']}:Mine", "partition.much=2"])["partition"]
    assert (mine["much"], mine["min_size"]) == (2, 1)


def test_files_in_the_folders_of_their_groups_are_chosen_by_their_names(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {group: write(home / group_.plural / "here.py", group) for group, group_ in GROUPS.items()}
    there = {group: write(home / "far" / group_.plural / "there.py", group) for group, group_ in GROUPS.items()}
    monkeypatch.setenv("FEDMED_PATH", os.pathsep.join([str(home / "far"), str(home / "nowhere")]))
    for name, files in (("here", here), ("there", there)):
        config = compose([f"{group}={name}" for group in GROUPS])
        assert targets(config) == {group: f"{file}:Mine" for group, file in files.items()}


def test_files_of_other_libraries_in_such_a_folder_are_none_of_fedmeds(home: Path) -> None:
    (home / "datasets").mkdir()
    text = "from torch.utils.data import Dataset\nclass Npz(Dataset):\n    pass\n"
    (home / "datasets/npz.py").write_text(text, encoding="utf-8")
    assert discover().options["dataset"]["npz"].target == "fedmed.datasets.npz.Npz"


def test_a_path_with_a_comma_or_an_apostrophe_is_taken_as_it_is(home: Path) -> None:
    file = home / "mother's, father's (2).npz"
    file.touch()
    assert compose(["dataset=npz", f"dataset.path={file.name}"])["dataset.path"] == str(file)
    with pytest.raises(UserError, match=re.escape("quote it: 'dataset.path='\"'\"'a,b.npz'\"'\"''")):
        compose(["dataset=npz", "dataset.path=a,b.npz"])
    with pytest.raises(UserError) as refused:
        compose(["dataset=npz", "dataset.path=it's.npz"])
    (hint,) = (fault.fix for fault in refused.value.faults)
    (word,) = shlex.split(hint.removeprefix("Quote it: "))
    assert compose(["dataset=npz", word])["dataset.path"] == str(home / "it's.npz")


CHILD = '''\
from dataclasses import dataclass

{bring}


@dataclass(frozen=True, kw_only=True)
class Mine({base}):
    """FedProx, of another strength.

    more: what it adds.
    """

    mu: float = 0.25
    more: int = 2
'''


@pytest.mark.parametrize(
    ("bring", "base"),
    [
        ("from fedmed.strategies.fedprox import FedProx", "FedProx"),
        ("from fedmed.strategies import fedprox", "fedprox.FedProx"),
        ("import fedmed", "fedmed.FedProx"),
    ],
)
def test_a_class_may_derive_from_one_of_fedmed_s_own_options(home: Path, bring: str, base: str) -> None:
    file = home / "strategies" / "mine.py"
    file.parent.mkdir()
    file.write_text(CHILD.format(bring=bring, base=base), encoding="utf-8")
    found = discover().options["strategy"]["mine"]
    assert {field.name: field.default for field in found.fields} == {"local": (), "mu": 0.25, "more": 2}
    for strategy in ("strategy=mine", f"strategy={file}:Mine"):
        (member,) = experiment_from([strategy, "strategy.more=3"]).methods.members.values()
        assert isinstance(member, FedProx)
        assert (member.mu, member.more) == (0.25, 3)  # type: ignore[attr-defined]


def test_a_class_of_another_library_that_is_called_as_one_of_ours_is_none(home: Path) -> None:
    file = home / "models" / "mine.py"
    file.parent.mkdir()
    file.write_text(CHILD.format(bring="from monai.networks.nets import UNet", base="UNet"), encoding="utf-8")
    assert "UNet" in {option.target.split(".")[-1] for option in discover().options["model"].values()}
    assert "mine" not in discover().options["model"]
