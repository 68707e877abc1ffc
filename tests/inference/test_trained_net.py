"""Nets that methods have built, and clients with models of their own: from the run to the exported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fedmed.config.build import experiment_from
from fedmed.inference.trained_net import trained_net
from fedmed.run.parts import build_parts
from fedmed.rundir import checkpoint

METHOD = '''
from dataclasses import dataclass

import torch
from torch import nn

from fedmed.method import Method


class Scaled(nn.Module):
    """A layer whose output is scaled by what is learnt."""

    def __init__(self, base):
        super().__init__()
        self.base, self.scale = base, nn.Parameter(torch.ones(base.out_features))

    def forward(self, z):
        return self.base(z) * self.scale

    def merged(self):
        with torch.no_grad():
            self.base.weight.mul_(self.scale[:, None])
            self.base.bias.mul_(self.scale)
        return self.base


@dataclass(frozen=True, kw_only=True)
class Scales(Method):
    """Learns scales beside a frozen head.

    groups: whether clients 0 and 2 share a model, and 1 has its own.
    """

    groups: bool = False

    @property
    def idle(self):
        return frozenset() if self.groups else frozenset({"split"})

    def build(self, net, setup):
        net.head.requires_grad_(False)
        net.head = Scaled(net.head)
        return net

    def split(self, server, reports):
        even = [client % 2 for client in server.clients]
        return torch.tensor([[float(e == r.client % 2) for r in reports] for e in even], dtype=torch.float64)
'''

WORLD = ("dataset.images=160", "dataset.test_images=40", "clients=3")


@pytest.fixture
def scales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strategy scales, among the user's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "scales.py").write_text(METHOD, encoding="utf-8")


@pytest.fixture
def images(tmp_path: Path, scales: None) -> Path:
    """An npz file with client 0's test images, and those of client 1, as the run has them."""
    world = build_parts(experiment_from([*WORLD])).world
    for client in (0, 1):
        share = world.shares[client].test
        np.savez(tmp_path / f"{client}.npz", images=share.x[:, 0].numpy(), labels=share.y.numpy())
    np.savez(tmp_path / "test.npz", images=world.test.x[:, 0].numpy(), labels=world.test.y.numpy())
    return tmp_path


def _accuracy(folder: Path, images: str) -> float:
    with np.load(folder / "predictions.npz") as found, np.load(images) as given:
        return float((found["prediction"] == given["labels"]).mean())


def test_a_built_net_predicts_and_its_export_fits_the_plain_model(run: Any, fedmed: Any, images: Path) -> None:
    final = run("run", "strategy=scales", "optimizer.lr=0.2")
    saved = checkpoint.load(images / "run/checkpoints")
    assert saved is not None
    assert {name for name in saved.shared if name.startswith("head")} == {"head.scale"}
    code, _, err = fedmed("predict", "run", "test.npz")
    assert code == 0, err
    assert _accuracy(images / "run", "test.npz") == pytest.approx(final["test.accuracy"])
    assert fedmed("export", "run", "--out", "w.safetensors")[0] == 0
    exported = load_file(images / "w.safetensors")
    assert {name for name in exported if name.startswith("head")} == {"head.weight", "head.bias"}
    again = run("plain", "model.weights=w.safetensors", "optimizer.lr=1e-12", "rounds=1")
    assert again["test.loss"] == pytest.approx(final["test.loss"], rel=1e-4)


def test_clients_with_models_of_their_own_have_no_global_one_and_are_chosen_by_number(
    run: Any, fedmed: Any, images: Path
) -> None:
    final = run("run", "strategy=scales", "strategy.groups=true", "optimizer.lr=0.2", "engine=pool", "engine.workers=2")
    assert not [name for name in final if name.startswith("test.")]
    code, _, err = fedmed("predict", "run", "test.npz")
    assert code == 2
    assert "a run with one global model" in err
    assert "Choose a client, --client: 0+2 | 1 share one each." in err
    rows = [row for row in build_rows(images / "run") if "client.accuracy" in row]
    for client in (0, 1):
        assert fedmed("predict", "run", f"{client}.npz", "--client", client)[0] == 0
        own = next(row["client.accuracy"] for row in reversed(rows) if row["client"] == client)
        assert _accuracy(images / "run", f"{client}.npz") == pytest.approx(own)
    assert fedmed("export", "run", "--client", 1, "--out", "one.safetensors")[0] == 0
    assert fedmed("export", "run", "--client", 0, "--out", "zero.safetensors")[0] == 0
    zero, one = (load_file(images / f"{name}.safetensors") for name in ("zero", "one"))
    assert not torch.equal(zero["head.weight"], one["head.weight"])
    assert "0 to 2" in fedmed("export", "run", "--client", 3)[2]
    assert "--best" in fedmed("export", "run", "--client", 0, "--best")[2]


def test_a_split_run_goes_on_to_the_bits_of_one_that_never_stopped(run: Any, fedmed: Any, images: Path) -> None:
    how = ("strategy=scales+scaffold", "strategy.scales.groups=true", "rounds=4")
    run("straight", *how)
    run("halted", *how, stop=2)
    assert fedmed("run", "resume=halted")[0] == 0
    straight, halted = (checkpoint.load(images / name / "checkpoints") for name in ("straight", "halted"))
    assert straight is not None
    assert halted is not None
    assert straight.server["groups"].keys() == {"0+2", "1"}
    for label, group in straight.server["groups"].items():
        for name, tensor in group["shared"].items():
            assert torch.equal(tensor, halted.server["groups"][label]["shared"][name])


def test_what_stayed_at_a_client_is_exported_with_it(run: Any, fedmed: Any, images: Path) -> None:
    run("run", "strategy=fedper")
    code, _, err = fedmed("predict", "run", "0.npz")
    assert code == 2
    assert "head.weight and others stayed on the clients: choose one of them, --client 0 to 2." in err
    assert fedmed("predict", "run", "0.npz", "--client", "0")[0] == 0
    assert fedmed("export", "run", "--client", "2", "--out", "two.safetensors")[0] == 0
    kept = checkpoint.load_client(images / "run/checkpoints", 2)["@local"]
    assert torch.equal(load_file(images / "two.safetensors")["head.weight"], kept["head.weight"])


def test_the_page_and_the_description_know_them(run: Any, fedmed: Any, images: Path) -> None:
    run("run", "strategy=scales", "strategy.groups=true")
    assert fedmed("report", "run")[0] == 0
    code, out, err = fedmed("describe", "strategy=scales", "model.width=4", *WORLD)
    assert code == 0, err
    assert "582 frozen" in out
    assert "clients split" not in out
    out = fedmed(
        "describe", "strategy=scales", "strategy.groups=true", "strategy.local=[head.scale]", "model.width=4", *WORLD
    )[1]
    assert "6 stay at each client · 582 frozen · clients split among models by scales" in " ".join(out.split())
    assert "model: model: expected images of at least" in fedmed("describe", "model=densenet121", *WORLD)[1]


def build_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of all clients in all rounds."""
    from fedmed.rundir.directory import RunDirectory

    return RunDirectory.open(folder).rows("clients")


def test_files_of_a_run_are_read_once(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("run", "strategy=ditto", "rounds=1")
    read: list[str] = []
    for name in ("load", "load_client"):
        monkeypatch.setattr(checkpoint, name, _counted(name, read))
    trained_net(tmp_path / "run", client=1)
    assert sorted(read) == ["load", "load_client"]


def _counted(name: str, read: list[str]) -> Any:
    plain = vars(checkpoint)[name]
    return lambda *given: (read.append(name), plain(*given))[1]
