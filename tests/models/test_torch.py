"""A network of one's own, from Python and from the command line."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fedmed
from fedmed.cli.main import main
from fedmed.models.start import create
from fedmed.models.torch import FILE

SMALL: dict[str, Any] = {"clients": 3, "rounds": 2, "dataset": fedmed.SyntheticMulticlass(images=160, test_images=40)}
IMAGES = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEDMED_RUNS", "kept")


class Small(nn.Module):
    """Uses view, as many do, on images of any number of channels."""

    def __init__(self, in_channels: int = 1, num_classes: int = 1000, *, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, stride=2)
        self.fc = nn.Linear(width * 13 * 13, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        logits: Tensor = self.fc(x.view(x.size(0), -1))
        return logits


def by_position(c: int, k: int) -> nn.Module:
    return Small(c, k)


def sequential() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(6))


def made(module: Any, *, outputs: int = 6) -> nn.Module:
    return create(fedmed.TorchModel(module=module), channels=1, outputs=outputs, side=28, seed=3)


@pytest.mark.parametrize(
    "module", [Small, by_position, partial(Small, width=4), lambda channels, outputs: Small(channels, outputs)]
)
def test_what_makes_a_module_draws_its_weights_under_the_seed(module: Any) -> None:
    net, again = made(module), made(Small)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in net.state_dict().items())
    assert sorted(net.state_dict()) == ["features.conv.bias", "features.conv.weight", "head.bias", "head.weight"]


def test_an_instance_is_where_training_starts_and_stays_as_it_is() -> None:
    module = Small(1, 6)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    net = made(module)
    assert torch.equal(net.state_dict()["head.weight"], before["fc.weight"])
    run = fedmed.Experiment(model=module, **SMALL).run(quiet=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert run.final["test.auc"] is not None


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (3, "an object of a class of Model"),
        (int, "an object of a class of Model"),
        (fedmed.UNet, "an object of a class of Model"),
        (lambda a, b, c, d: None, "a class or a function of channels, .*, got one of a, b, c, d"),
        (lambda channels: 3, "one that gives a int"),
        (lambda channels: 1 / 0, "got ZeroDivisionError"),
        (Small(1, 7), r"logits \(B, 6\), got \(B, 7\)"),
        (Small(3, 6), r"a module for images \(B, 1, 28, 28\)"),
        (nn.Sequential(nn.Conv2d(1, 6, 28)), "logits|features"),
    ],
)
def test_what_is_no_network_for_the_images_is_refused(module: Any, words: str) -> None:
    with pytest.raises(fedmed.UserError, match=words):
        fedmed.Experiment(model=module, **SMALL).run(quiet=True)
    assert not Path("kept").exists()


@pytest.mark.parametrize("module", [Small, sequential()], ids=["class", "sequential"])
def test_a_run_keeps_what_is_needed_to_go_on_and_to_predict(module: Any) -> None:
    run = fedmed.Experiment(model=module, **SMALL).run(quiet=True)
    assert (run.directory / FILE).is_file()
    found = fedmed.load(run.directory)
    assert found.experiment.model == run.experiment.model
    assert found.predict(IMAGES).probabilities.shape == (3, 6)
    assert found.export().is_file()
    moved = run.directory.rename("moved")
    longer = fedmed.load(moved).resume(rounds=3, quiet=True)
    straight = fedmed.Experiment(model=module, **{**SMALL, "rounds": 3}).run(quiet=True)
    assert longer.final["test.loss"] == straight.final["test.loss"]
    (moved / FILE).unlink()
    with pytest.raises(fedmed.UserError, match=r"a pickled module, got FileNotFoundError.*resume\(experiment\)"):
        fedmed.load(moved).predict(IMAGES)


def test_the_command_unpickles_nothing_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    run = fedmed.Experiment(model=Small, **SMALL).run("mine", quiet=True)
    assert main(["run", f"resume={run.directory}", "rounds=3"]) == 2
    assert f"--trust {Path('mine').resolve() / FILE}" in capsys.readouterr().err
    assert main(["run", "-q", f"resume={run.directory}", "rounds=3", "--trust", f"mine/{FILE}"]) == 0


def test_the_command_line_names_it_by_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("nets.py").write_text(NET, encoding="utf-8")
    words = ["clients=3", "rounds=2", "dataset.images=160", "dataset.test_images=40"]
    assert main(["run", "-q", *words, "model=torch", "model.code=nets.py:Net", "hydra.run.dir=mine"]) == 0
    run = fedmed.load("mine")
    assert not (run.directory / FILE).exists()
    assert run.predict(IMAGES).probabilities.shape == (3, 6)
    assert main(["run", "-q", *words, "model=torch"]) == 2
    assert "path/to/file.py:name of your module" in capsys.readouterr().err


def test_what_is_carried_out_elsewhere_needs_a_file() -> None:
    with pytest.raises(fedmed.UserError, match="a module whose code is in a file"):
        fedmed.Experiment(model=Small, engine=fedmed.SuperlinkEngine(), **SMALL).run(quiet=True)


def test_alternatives_of_a_comparison_are_told_apart() -> None:
    modules = [Small, lambda channels, outputs: Small(channels, outputs, width=2)]
    runs = fedmed.compare(fedmed.Experiment(**SMALL), model=modules, seed=[0], quiet=True)
    assert len(runs) == 2
    assert runs.failed == {}


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, channels, outputs):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(channels, 4, 3, stride=2), nn.Linear(4 * 13 * 13, outputs)
    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(1))
"""

RUNS = """
import fedmed
small = dict(dataset=fedmed.SyntheticMulticlass(images=160, test_images=40), clients=3, rounds=2)

def go():
    for model in (Net, lambda channels, outputs: Net(channels, outputs)):
        for engine in (fedmed.InprocessEngine(), *(fedmed.PoolEngine(workers=2, start=s) for s in ("fork", "spawn"))):
            run = fedmed.Experiment(model=model, engine=engine, **small).run(quiet=True)
            assert run.predict(torch.zeros(3, 1, 28, 28, dtype=torch.uint8)).probabilities.shape == (3, 6)
            print(run.rounds[-1]["loss"])
"""

NOTEBOOK = """
import sys, types
sys.modules["__main__"] = types.ModuleType("__main__")
exec(compile(CELL, "<cell>", "exec"), vars(sys.modules["__main__"]))
"""


@pytest.mark.parametrize("form", ["script", "notebook"])
def test_a_class_of_a_script_or_a_notebook_works_on_every_engine(form: str) -> None:
    code = f'{NET}{RUNS}\nif __name__ == "__main__":\n    go()\n'
    if form == "notebook":
        code = f"CELL = {code!r}\nif __name__ == '__main__':\n{NOTEBOOK.replace(chr(10), chr(10) + '    ')}\n"
    Path("script.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 6
    assert len(set(done.stdout.split())) == 1
