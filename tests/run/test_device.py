"""Whole runs on another device: the rows, checkpoints and final metrics of the processor, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.errors import UserError
from fedmed.run import resume
from fedmed.terminal.progress import make_run_display
from tests.fake_device import elsewhere
from tests.run.traces import trace

CASES = {
    "fedavg": ("augment=standard", "scopes=[test,client,adapted]", "optimizer.name=adam", "optimizer.state=persist"),
    "scaffold": ("strategy=scaffold", "clients_per_round=2", "server=momentum", "compression=topk"),
    "fedper": ("strategy=fedper+fedprox", "scopes=[client]"),
    "fedmlp": (
        "dataset=synthetic_multilabel",
        "annotation=missing_labels",
        "strategy=fedmlp",
        "dataset.normalise=image",
    ),
}


@pytest.fixture
def on_another(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs inside the test's block take place on the fake device."""
    with elsewhere() as device:
        monkeypatch.setattr("fedmed.run.parts.device_of", lambda name: device)
        yield


@pytest.mark.parametrize("overrides", CASES.values(), ids=CASES)
def test_a_run_on_another_device_leaves_what_one_on_the_processor_leaves(
    run: Any, tmp_path: Path, overrides: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    run("here", *overrides)
    request.getfixturevalue("on_another")
    run("there", *overrides)
    assert trace(tmp_path / "there") == trace(tmp_path / "here")
    run("stopped", *overrides, stop=2)
    resume(tmp_path / "stopped", overrides=[], show=make_run_display(quiet=True))
    assert trace(tmp_path / "stopped") == trace(tmp_path / "here")


def test_a_gpu_that_is_not_there_is_refused_before_any_image_is_read(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("fedmed.run.parts.load_world", lambda config: pytest.fail("read the images"))
    with pytest.raises(UserError, match="device: expected a GPU that torch can use, got none"):
        run("run", "device=cuda")
    assert not (tmp_path / "run").exists()


def test_mixed_precision_has_the_same_bits_on_every_engine(run: Any, tmp_path: Path) -> None:
    run("full")
    run("one", "precision=bf16")
    assert trace(tmp_path / "one") != trace(tmp_path / "full")
    run("inprocess", "precision=bf16")
    assert trace(tmp_path / "inprocess") == trace(tmp_path / "one")
    for engine in ("pool", "threads"):
        run(engine, "precision=bf16", f"engine={engine}", "engine.workers=2")
        assert trace(tmp_path / engine) == trace(tmp_path / "one")
