"""A deployed run whose images stay at their sites: each SuperNode reads its own file, the server none, or its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict

from fedmed.config.build import config_of, experiment_from, to_yaml
from fedmed.deploy.bundle import write_bundle
from fedmed.deploy.site_world import server_world
from fedmed.engine.base import SiteImages
from fedmed.engine.local import InProcessGrid
from fedmed.errors import UserError
from fedmed.experiment import Experiment
from fedmed.run.deployed import client_app, own_world, server_app
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.kept_images import load as shown_images

SHAPE = ("engine.connection=hospitals", "engine.classes=3", "engine.channels=1", "engine.side=8")
SITES = (
    "engine=superlink",
    "engine.connection=hospitals",
    "engine.sites=true",
    *SHAPE,
    "dataset=npz",
    "dataset.normalise=image",
)
RUN = ("clients=2", "rounds=2", "batch_size=8", "model.width=4")


def save(path: Path, seed: int, **more: Any) -> Path:
    """Sixty images of three classes, each a bright column."""
    g = np.random.default_rng(seed)
    y = g.integers(0, 3, 60)
    x = g.integers(0, 60, (60, 8, 8), dtype=np.uint8)
    x[np.arange(60), :, y] += 150
    np.savez(path, **{"images": x, "labels": y, **more})
    return path


def config(*overrides: str) -> Experiment:
    return experiment_from([*SITES, *RUN, *overrides])


def images_of(experiment: Experiment) -> SiteImages:
    assert experiment.engine.site_images is not None
    return experiment.engine.site_images


Federate = Callable[..., RunDirectory]


@pytest.fixture
def federate(tmp_path: Path) -> Federate:
    """federate(files, *overrides): the directory of a run in which node k has files[k]."""

    def start(files: list[Path], *overrides: str) -> RunDirectory:
        bundle = tmp_path / "bundle"
        bundle.mkdir()
        write_bundle(bundle, to_yaml(config_of(config(*overrides))), tmp_path / "run", resume=False)
        app = client_app(bundle)

        def at_site(message: Message, context: Context) -> Message:
            node = int(context.node_config["partition-id"])
            context.node_config["dataset-path"] = str(files[node])
            context.node_config["site-directory"] = str(tmp_path / f"site{node}")
            return app(message, context)

        grid = InProcessGrid(at_site, len(files))  # type: ignore[arg-type]
        server_app(bundle)(grid, Context(1, 0, {}, RecordDict(), {"directory": str(tmp_path / "run"), "resume": False}))
        return RunDirectory.open(tmp_path / "run")

    return start


def test_sites_train_and_are_scored_on_their_own_files(federate: Federate, tmp_path: Path) -> None:
    run = federate([save(tmp_path / f"{k}.npz", k) for k in (0, 1)])
    rows = run.rows("rounds")
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert "client.mean.accuracy" in rows[-1]
    assert "test.accuracy" not in rows[-1]
    assert [row["examples"] for row in run.rows("clients") if row["round"] == 1] == [42, 42]


def test_the_server_tests_on_its_own_file(federate: Federate, tmp_path: Path) -> None:
    own = save(tmp_path / "server.npz", 7)
    run = federate([save(tmp_path / f"{k}.npz", k) for k in (0, 1)], f"dataset.path={own}")
    assert run.rows("rounds")[-1]["test.accuracy"] > 1 / 3


def test_the_server_tests_on_all_of_its_file_or_on_what_the_file_calls_test(tmp_path: Path) -> None:
    def test_images(**more: Any) -> int:
        chosen = config(f"dataset.path={save(tmp_path / 'server.npz', 7, **more)}")
        return len(server_world(chosen, images_of(chosen)).test)

    assert test_images() == 60
    assert test_images(splits=np.repeat([0, 1, 2], 20)) == 20


def test_a_site_reads_no_other_file_than_its_own(tmp_path: Path) -> None:
    own = save(tmp_path / "own.npz", 0, splits=np.repeat([0, 1, 2], (30, 20, 10)))
    world = own_world(config("dataset.path=/nowhere.npz"), str(own))
    assert world is not None
    share = world.shares[1]
    assert (len(share.train), len(share.val), len(share.test)) == (30, 20, 10)
    assert len(world.test) == 0


@pytest.mark.parametrize(
    ("overrides", "path", "words"),
    [
        ((), None, "node config: expected dataset-path"),
        (("engine.sites=false",), "own.npz", "engine.sites: expected true"),
        (("engine.side=28",), "own.npz", "images with task multiclass, channels 1, side 28, dimensions 2, got"),
        (("engine.task=multilabel",), "own.npz", "images with task multilabel"),
        (("engine.classes=2",), "own.npz", "at most 2 classes, got 3"),
    ],
)
def test_a_site_refuses_a_run_that_is_not_for_it(
    overrides: tuple[str, ...], path: str | None, words: str, tmp_path: Path
) -> None:
    save(tmp_path / "own.npz", 0)
    with pytest.raises(UserError, match=words):
        own_world(config(*overrides), path and str(tmp_path / path))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("engine.classes=null", "engine.classes: expected a number"),
        ("dataset.normalise=dataset", "dataset.normalise: expected none or image"),
        ("annotation=label_noise", "annotation: expected none of it"),
        ("shift=scanner", "shift: expected none of it"),
        ("pooled=true", "pooled: expected false"),
        ("dataset=medmnist", "dataset: expected npz"),
    ],
)
def test_what_needs_the_images_of_all_sites_in_one_place_is_refused(override: str, words: str) -> None:
    extra = ["dataset.name=breastmnist"] if "medmnist" in override else []
    chosen = config(override, *extra)
    with pytest.raises(UserError, match=words):
        server_world(chosen, images_of(chosen))


def test_a_run_keeps_no_image_of_a_site(federate: Federate, tmp_path: Path) -> None:
    run = federate([save(tmp_path / f"{k}.npz", k) for k in (0, 1)])
    assert not (run.path / "examples.npz").exists()
    assert not (run.path / "federation.json").exists()


def test_a_run_keeps_some_of_the_servers_own_test_images(federate: Federate, tmp_path: Path) -> None:
    server = save(tmp_path / "server.npz", 9)
    run = federate([save(tmp_path / f"{k}.npz", k) for k in (0, 1)], f"dataset.path={server}")
    shown = shown_images(run.path)
    assert shown is not None
    assert shown.training is None
    assert shown.test is not None
    with np.load(server) as own:
        assert (shown.test.x[:, 0] == own["images"][shown.test.index]).all()
