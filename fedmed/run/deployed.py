"""The two apps of a run on a SuperLink: what `flwr-serverapp` and `flwr-clientapp` load from its bundle."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from fedmed.data.world import World
from fedmed.deploy.bundle import read_bundle
from fedmed.deploy.site_memory import remember
from fedmed.deploy.site_world import site_world
from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.flower import app_of
from fedmed.flower.deferred import deferred
from fedmed.run.lifecycle import serve
from fedmed.run.parts import build_parts
from fedmed.terminal.progress import make_run_display


def server_app(bundle: Path) -> ServerApp:
    """The ServerApp of a bundle: the run itself, from its first round or its last checkpoint."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        experiment, config_yaml = read_bundle(bundle)
        directory, resume = Path(str(context.run_config["directory"])), bool(context.run_config["resume"])
        serve(grid, experiment, directory, config_yaml=config_yaml, resume=resume, show=make_run_display())

    return app


def client_app(bundle: Path) -> ClientApp:
    """The ClientApp of a bundle: one client, whose memory stays in the directory of its site."""
    experiment, _ = read_bundle(bundle)

    @cache
    def made(path: str | None) -> ClientApp:
        torch.set_num_threads(experiment.torch_threads)
        return app_of(build_parts(experiment, own_world(experiment, path)).trainer)

    def answer(message: Message, context: Context) -> Message:
        path = context.node_config.get("dataset-path")
        app = made(None if path is None else str(path))
        return remember(message, context, app, checkpoint_every=experiment.checkpoint_every)

    return deferred(answer)


def own_world(experiment: Experiment, path: str | None) -> World | None:
    """What a site with images of its own sees; None where the run divides the images of one file.

    path: the dataset-path of its node config, which is all that it reads. Raises `UserError` where that and the run
    do not fit: a site with images of its own takes part in no run that names a file for it, nor the reverse.
    """
    images = experiment.engine.site_images
    if images is None and path is None:
        return None
    if path is None:
        raise refuse("node config", "dataset-path=<file>, as the run has engine.sites=true", "none", "Set it.")
    if images is None:
        fix = "Submit the run with engine.sites=true, or start the SuperNode without dataset-path."
        raise refuse("engine.sites", "true, as this SuperNode has a dataset-path", "false", fix)
    return site_world(experiment, images, path)
