from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fedmed import runner
from fedmed.config import compose
from fedmed.config.build import build
from fedmed.engine import loopback
from fedmed.errors import UserError
from fedmed.results.progress import make_show
from fedmed.results.store import RunDirectory
from fedmed.runner import submit as module
from fedmed.runner.submit import submit

CONFIG = compose.compose(
    ["engine=superlink", "engine.connection=hospitals", "rounds=1", "clients=2", "dataset.images=96"]
)
YAML = OmegaConf.to_yaml(CONFIG, resolve=True)


class Flower:
    """Stands for `flwr run`: notes what it was asked, and does what a SuperLink would."""

    def __init__(self, final: dict[str, Any] | None) -> None:
        self.final, self.seen, self.command = final, "", [""]

    def run(self, command: list[str], **given: Any) -> None:
        bundle = Path(command[2])
        self.command, self.seen = command, (bundle / "config.yaml").read_text()
        assert (bundle / "pyproject.toml").is_file()
        if self.final:
            kept = RunDirectory.create(Path("run"), config_yaml=self.seen, identity="x" * 32, environment={})
            kept.finish(self.final)


@pytest.fixture
def flower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flower:
    monkeypatch.chdir(tmp_path)
    fake = Flower({"test.loss": 1.0})
    monkeypatch.setattr(module, "subprocess", fake)
    return fake


def test_the_result_is_what_the_superlink_leaves_in_the_directory(flower: Flower) -> None:
    assert submit(build(CONFIG.engine), YAML, Path("run"), resume=False) == {"test.loss": 1.0}
    assert flower.command[1:2] + flower.command[3:] == ["run", "hospitals", "--stream"]
    assert flower.seen == YAML


def test_a_run_is_checked_before_it_is_submitted(flower: Flower) -> None:
    config = compose.compose(["engine=superlink", "engine.connection=hospitals", "rounds=1", "strategy.local=[nope]"])
    with pytest.raises(UserError, match=r"strategy\.fedavg\.local"):
        runner.run(config, Path("run"), show=make_show(quiet=True))
    assert flower.seen == ""


def test_a_superlink_that_leaves_nothing_is_told_of(flower: Flower) -> None:
    flower.final = None
    with pytest.raises(UserError, match="engine: expected a result of the SuperLink's in run, got none"):
        submit(build(CONFIG.engine), YAML, Path("run"), resume=False)


@pytest.mark.parametrize(
    ("connection", "words"), [("", "engine.connection: expected the name"), (loopback.NAME, "fedmed deploy --local N")]
)
def test_without_a_superlink_nothing_is_submitted(flower: Flower, connection: str, words: str) -> None:
    config = compose.compose(["engine=superlink", f"engine.connection={connection}"])
    with pytest.raises(UserError, match=words):
        submit(build(config.engine), YAML, Path("run"), resume=True)
    assert flower.seen == ""
