"""The two apps of a run on a SuperLink: what `flwr-serverapp` and `flwr-clientapp` load from its bundle."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from fedmed.flower import app_of
from fedmed.flower.deferred import deferred
from fedmed.results.progress import make_show
from fedmed.runner.bundle import read_bundle
from fedmed.runner.lifecycle import serve
from fedmed.runner.parts import build_parts
from fedmed.runner.site import remember


def server_app(bundle: Path) -> ServerApp:
    """The ServerApp of a bundle: the run itself, from its first round or its last checkpoint."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        config, config_yaml = read_bundle(bundle)
        directory, resume = Path(str(context.run_config["directory"])), bool(context.run_config["resume"])
        serve(grid, config, directory, config_yaml=config_yaml, resume=resume, show=make_show())

    return app


def client_app(bundle: Path) -> ClientApp:
    """The ClientApp of a bundle: one client, whose memory stays in the directory of its site."""

    @cache
    def made() -> ClientApp:
        config, _ = read_bundle(bundle)
        torch.set_num_threads(config.torch_threads)
        return app_of(build_parts(config).trainer)

    every = int(read_bundle(bundle)[0].checkpoint_every)

    def answer(message: Message, context: Context) -> Message:
        return remember(message, context, made(), checkpoint_every=every)

    return deferred(answer)
