"""The same bits on every runtime: one table of engines, a straight run and a resumed one on each."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fedmed import runner
from fedmed.config import compose
from fedmed.results import checkpoint
from fedmed.results.progress import Show, make_show
from tests.toys import same

pytestmark = pytest.mark.slow

TINY = ("clients=3", "rounds=3", "batch_size=16", "dataset.images=96", "dataset.test_images=24", "model.width=4")

ENGINES = {
    "ray": pytest.param(
        ("engine=ray", "engine.cpus=2"),
        marks=pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'fedmed[ray]'"),
        id="ray",
    ),
}
"""The overrides that choose an engine; inprocess is what each must equal."""

OWN = '''
from dataclasses import dataclass

from fedmed.method import Client, Method, Payload


@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """Pulls towards where the client last was."""

    def prepare(self, client: Client) -> None:
        client.state["rounds"] = client.state.get("rounds", 0) + 1

    def correct(self, client: Client) -> None:
        for name, weight, anchor in client.shared:
            weight.grad.add_(weight.detach() - client.state.get(f"last {name}", anchor), alpha=0.1)

    def report(self, client: Client) -> Payload:
        for name, weight, _ in client.shared:
            client.state[f"last {name}"] = weight.detach().clone()
        return {}
'''


class StopAfter(Show):
    """Interrupts a run after a round, as Ctrl-C would."""

    def __init__(self, round: int) -> None:
        self.last = round

    def round(self, row: Any) -> None:
        if row["round"] == self.last:
            raise KeyboardInterrupt


Kept = tuple[Any, Any, list[dict[str, Any]]]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kept]:
    """kept(name, *overrides, stop=k): what a run leaves: weights, memory of the clients, rows without seconds."""
    monkeypatch.chdir(tmp_path)

    def start(name: str, *overrides: str, stop: int | None = None) -> Kept:
        config = compose.compose([*TINY, *overrides])
        if stop is None:
            runner.run(config, tmp_path / name, show=make_show(quiet=True))
        else:
            with pytest.raises(KeyboardInterrupt):
                runner.run(config, tmp_path / name, show=StopAfter(stop))
            runner.resume(tmp_path / name, overrides=[], show=make_show(quiet=True))
        return left(tmp_path / name)

    return start


def left(directory: Path) -> Kept:
    from fedmed.results.store import RunDirectory

    saved = checkpoint.load(directory / "checkpoints")
    assert saved is not None
    rows = RunDirectory.open(directory).rows("rounds")
    timed = [{name: value for name, value in row.items() if not name.startswith("seconds")} for row in rows]
    return dict(saved.shared), dict(saved.clients), timed


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_run_with_a_method_of_the_users_own_has_the_bits_of_inprocess(
    engine: tuple[str, ...], kept: Callable[..., Kept], tmp_path: Path
) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "mine.py").write_text(OWN)
    options = ("strategy=scaffold+mine", "clients_per_round=2", "engine=inprocess")
    one, other = kept("inprocess", *options), kept("other", *options[:-1], *engine)
    assert same(one[0], other[0])
    assert same(one[1], other[1])
    assert one[2] == other[2]


@pytest.mark.parametrize("engine", ENGINES.values())
def test_a_resumed_run_has_the_bits_of_a_straight_one(engine: tuple[str, ...], kept: Callable[..., Kept]) -> None:
    one, other = kept("inprocess", "strategy=scaffold"), kept("other", "strategy=scaffold", *engine, stop=2)
    assert same(one[0], other[0])
    assert same(one[1], other[1])
    assert one[2] == other[2]
