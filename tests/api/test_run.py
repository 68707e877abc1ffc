"""A run from Python: what the command does, as objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fedmed
from fedmed.cli.main import main
from fedmed.rundir import checkpoint

SMALL: dict[str, Any] = {"clients": 3, "rounds": 2, "dataset": fedmed.SyntheticMulticlass(images=160, test_images=40)}
WORDS = ("clients=3", "rounds=2", "dataset.images=160", "dataset.test_images=40")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEDMED_RUNS", "kept")


@pytest.fixture
def run() -> fedmed.Run:
    return fedmed.Experiment(strategy=fedmed.FedProx(mu=0.1), **SMALL).run(quiet=True)


def test_it_has_the_bits_and_the_file_of_the_command(run: fedmed.Run) -> None:
    assert run.directory.parent == Path("kept")
    assert main(["run", "-q", *WORDS, "strategy=fedprox", "strategy.mu=0.1", "hydra.run.dir=other"]) == 0
    mine, other = checkpoint.load(run.directory / "checkpoints"), checkpoint.load(Path("other/checkpoints"))
    assert mine is not None
    assert other is not None
    assert all(torch.equal(tensor, other.shared[name]) for name, tensor in mine.shared.items())
    texts = [(folder / "config.yaml").read_text(encoding="utf-8") for folder in (run.directory, Path("other"))]
    assert texts[0] == texts[1]


def test_it_answers_questions(run: fedmed.Run) -> None:
    assert run.status == "finished"
    assert 0 < run.final["test.auc"] <= 1
    assert [row["round"] for row in run.rounds] == [1, 2]
    assert len(run.clients) == 6
    assert run.experiment == fedmed.Experiment(strategy=fedmed.FedProx(mu=0.1), **SMALL)
    assert "test.auc" in run._repr_html_()
    assert "auc" in str(run)
    assert run.report().read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("kind", ["array", "channels", "tensor"])
def test_it_predicts_images_in_memory_as_those_of_a_file(run: fedmed.Run, kind: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    np.savez("images.npz", images=images)
    given = {"array": images, "channels": images[..., None], "tensor": torch.from_numpy(images)[:, None]}[kind]
    found, of_file = run.predict(given), run.predict("images.npz")
    assert np.array_equal(found.probabilities, of_file.probabilities)
    assert found.probabilities.shape == (5, 6)
    assert found.prediction.shape == (5,)
    with pytest.raises(fedmed.UserError, match="as in training"):
        run.predict(images[:, :20])


def test_it_goes_on_for_more_rounds_to_the_bits_of_a_longer_run(run: fedmed.Run) -> None:
    longer = run.resume(rounds=3, quiet=True)
    straight = fedmed.Experiment(strategy=fedmed.FedProx(mu=0.1), **{**SMALL, "rounds": 3}).run("straight", quiet=True)
    timed = [
        [{k: v for k, v in row.items() if "seconds" not in k} for row in each.rounds] for each in (longer, straight)
    ]
    assert timed[0] == timed[1]


def test_a_run_that_was_stopped_has_no_result_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("fedmed.terminal.progress.RunDisplay.round", stop)
        with pytest.raises(KeyboardInterrupt):
            fedmed.Experiment(**SMALL).run("stopped", quiet=True)
    found = fedmed.load("stopped")
    assert found.status == "stopped"
    with pytest.raises(fedmed.UserError, match=r"Continue it: run\.resume\(\)"):
        _ = found.final
    assert found.resume(quiet=True).status == "finished"


def test_where_there_is_no_run_a_word_says_so() -> None:
    with pytest.raises(fedmed.UserError, match="a run directory"):
        fedmed.load("nowhere")


SCRIPT = """
from dataclasses import dataclass
from typing import Annotated
from annotated_types import Ge
import fedmed

@dataclass(frozen=True, kw_only=True)
class Pull(fedmed.Method):
    'Pulls.'
    mu: Annotated[float, Ge(0)] = 0.1
    def correct(self, client):
        for _, weight, anchor in client.shared:
            weight.grad.add_(weight.detach() - anchor, alpha=self.mu)

@dataclass(frozen=True, kw_only=True)
class PushAway(fedmed.Method):
    'Pushes.'
    mu: Annotated[float, Ge(0)] = 0.1
    def correct(self, client):
        for _, weight, anchor in client.shared:
            weight.grad.sub_(weight.detach() - anchor, alpha=self.mu)

if __name__ == "__main__":
    small = dict(dataset=fedmed.SyntheticMulticlass(images=160, test_images=40), clients=3, rounds=2)
    both = fedmed.chain(Pull(mu=1), PushAway())
    for engine in (fedmed.InprocessEngine(), fedmed.PoolEngine(workers=2), fedmed.PoolEngine(workers=2, start="spawn")):
        run = fedmed.Experiment(strategy=both, engine=engine, **small).run(quiet=True)
        print(run.config.methods, run.rounds[-1]["loss"])
    runs = fedmed.compare(fedmed.Experiment(**small), strategy=[Pull(), PushAway()], seed=[0], quiet=True)
    print(sorted(run.config.methods for run in runs), runs.failed)
"""


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"], ids=["types", "texts"])
def test_classes_of_a_script_work_on_every_engine_and_in_a_comparison(first: str, tmp_path: Path) -> None:
    """Also where annotations are texts, which another process cannot look up."""
    (tmp_path / "script.py").write_text(f"{first}{SCRIPT}", encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    *engines, compared = done.stdout.splitlines()
    assert len(engines) == 3
    assert len(set(engines)) == 1
    assert engines[0].startswith("('pull', 'push_away')")
    assert compared == "[('pull',), ('push_away',)] {}"
