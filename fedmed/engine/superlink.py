"""Flower's deployment runtime: the same app on a SuperLink and on SuperNodes, one per client, on any machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from fedmed.engine.base import LaunchingEngine, SiteImages
from fedmed.engine.flower_run import LOOPBACK, FlowerRun, loopback_home
from fedmed.errors import refuse
from fedmed.offline import go_offline


@dataclass(frozen=True, kw_only=True)
class SuperlinkEngine(LaunchingEngine):
    """A SuperLink of Flower's and its SuperNodes, one per client; fedmed deploy --local starts both for you.

    connection: name of the SuperLink in Flower's configuration; must be given.
    timeout: seconds that the server waits for the clients' answers in a round (> 0).
    sites: whether each SuperNode reads its own images, from the dataset-path of its node config, and the server reads
       only dataset.path, if set, to test on (false: all read dataset.path and each takes its part, as in a simulation).
    task: of the images of all sites, where sites=true.
    classes: how many the sites have together, background included (>= 2; null where sites=false).
    channels: of the sites' images (>= 1; null where sites=false).
    side: of the sites' images in pixels, once resized (>= 1; null where sites=false).
    dimensions: of the sites' images, 2, or 3 for volumes.
    """

    connection: str = ""
    timeout: Annotated[float, Gt(0)] = 3600.0
    sites: bool = False
    task: Literal["multiclass", "multilabel", "segmentation"] = "multiclass"
    classes: Annotated[int, Ge(2)] | None = None
    channels: Annotated[int, Ge(1)] | None = None
    side: Annotated[int, Ge(1)] | None = None
    dimensions: Literal[2, 3] = 2

    def check(self) -> None:
        if not self.connection:
            fix = "fedmed deploy --local N starts one on this machine."
            raise refuse("engine.connection", "the name of a SuperLink in Flower's configuration", "nothing", fix)

    def answers_within(self) -> float:
        return self.timeout

    @property
    def site_images(self) -> SiteImages | None:
        if not self.sites:
            return None
        return SiteImages(self.task, self.classes, self.channels, self.side, self.dimensions)

    def launch(self, write_app: Callable[[Path], None], directory: Path) -> FlowerRun:
        home = loopback_home()
        if self.connection == LOOPBACK and home is None:
            fix = f"fedmed deploy --local N {quote(f'resume={directory}')}, with as many clients, starts it again."
            raise refuse("engine.connection", "a SuperLink that runs", "that of fedmed deploy, which has ended", fix)
        go_offline()
        with TemporaryDirectory(prefix="fedmed-run-", dir=home) as folder:
            write_app(Path(folder))
            return FlowerRun.submit(Path(folder), self.connection)
