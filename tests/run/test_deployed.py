"""The two apps of a deployed run on a grid of this process, whose nodes forget everything between two runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import Context, Message, RecordDict

from fedmed.config.build import config_of, experiment_from, to_yaml
from fedmed.deploy.bundle import write_bundle
from fedmed.engine.local import InProcessGrid
from fedmed.errors import UserError
from fedmed.run import run as run_experiment
from fedmed.run.deployed import client_app, server_app
from fedmed.rundir import checkpoint
from fedmed.terminal.progress import make_run_display
from tests.toys import same

TINY = ("clients=2", "rounds=3", "batch_size=16", "dataset.images=96", "dataset.test_images=24", "model.width=4")


class Sites(InProcessGrid):
    """Nodes that keep memory in a folder; they answer a number of messages and then fall silent."""

    def __init__(self, bundle: Path, clients: int, folder: Path, answers: int = 1000) -> None:
        app = client_app(bundle)

        def at_site(message: Message, context: Context) -> Message:
            context.node_config["site-directory"] = str(folder / str(context.node_id))
            return app(message, context)

        super().__init__(at_site, clients)  # type: ignore[arg-type]
        self._left = answers

    def stream(self, messages: Any) -> Any:
        for reply in super().stream(messages):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            yield reply


Deploy = Callable[..., Path]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """deploy(*overrides, answers=n, resume=False): the run's directory after n answers of clients."""
    monkeypatch.chdir(tmp_path)

    def start(*overrides: str, answers: int = 1000, resume: bool = False) -> Path:
        directory, bundle = tmp_path / "deployed", tmp_path / f"bundle{answers}"
        bundle.mkdir()
        config = experiment_from([*TINY, "engine=superlink", "engine.connection=hospitals", *overrides])
        write_bundle(bundle, to_yaml(config_of(config)), directory, resume=resume)
        grid = Sites(bundle, 2, tmp_path / "sites", answers)
        context = Context(1, 0, {}, RecordDict(), {"directory": str(directory), "resume": resume})
        server_app(bundle)(grid, context)
        return directory

    return start


def kept(directory: Path) -> dict[str, torch.Tensor]:
    saved = checkpoint.load(directory / "checkpoints")
    assert saved is not None
    return dict(saved.shared)


def straight(tmp_path: Path, *overrides: str) -> dict[str, torch.Tensor]:
    run_experiment(experiment_from([*TINY, *overrides]), tmp_path / "straight", show=make_run_display(quiet=True))
    return kept(tmp_path / "straight")


def test_a_deployed_run_has_the_bits_of_a_run(deploy: Deploy, tmp_path: Path) -> None:
    assert same(kept(deploy("strategy=scaffold")), straight(tmp_path, "strategy=scaffold"))


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("answers", [9, 11])
def test_a_resumed_one_too_though_its_nodes_have_forgotten_everything(
    every: int, answers: int, deploy: Deploy, tmp_path: Path
) -> None:
    overrides = ("strategy=scaffold", f"checkpoint_every={every}")
    with pytest.raises(KeyboardInterrupt):
        deploy(*overrides, answers=answers)
    assert same(kept(deploy(*overrides, resume=True)), straight(tmp_path, *overrides))


def test_memory_stays_at_its_site(deploy: Deploy, tmp_path: Path) -> None:
    directory = deploy("strategy=scaffold")
    saved = checkpoint.load(directory / "checkpoints")
    assert saved is not None
    assert saved.clients == {}
    assert [path.name for path in sorted((tmp_path / "sites").rglob("*.pt"))] == 2 * ["round_2.pt", "round_3.pt"]


def test_resuming_other_data_is_refused(deploy: Deploy) -> None:
    with pytest.raises(KeyboardInterrupt):
        deploy("strategy=scaffold", answers=9)
    with pytest.raises(UserError, match="resume: expected the run"):
        deploy("strategy=scaffold", "dataset.images=120", resume=True)
