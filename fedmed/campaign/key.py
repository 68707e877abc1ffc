"""By what a run is known before it is made, so that it is made only once.

Everything here is done without importing torch, unless a dataset has to be asked for its files: a comparison of which
all runs are done answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from fedmed import __version__
from fedmed.config.identity import files_beside, identified, tolerated
from fedmed.config.plain import PATHS
from fedmed.config.values import Config, Node
from fedmed.options.catalogue import Catalogue
from fedmed.options.source import Option, sources


def key(config: Config, catalogue: Catalogue) -> str:
    """A digest of the config without engine, device, paths and tracking; of fedmed's version; of sources and of data.

    Sources are those of the methods, of the dataset and of users' code, with the private modules that they import. Data
    are the files that the config names, by what they hold: a dataset that makes its images is known by its source and
    its options.
    """
    digest = blake2b(f"{__version__}\n{identified(config)}\n{tolerated(config)}".encode(), digest_size=16)
    for file in (*_sources(config, catalogue), *_held(config, catalogue), *files_beside(config)):
        digest.update(_digest_of(file, _version(file)))
    return digest.hexdigest()


def _sources(config: Config, catalogue: Catalogue) -> Iterator[Path]:
    """Source files of options; a user's own, which the config names by its file, is in the config's digest already."""
    for node in config.nodes(["strategy", "dataset"]):
        if option := catalogue.of_target(node.target):
            yield from sources(option.file)


def _held(config: Config, catalogue: Catalogue) -> Iterator[Path]:
    for name in PATHS:
        if not name.startswith("dataset.") and (path := config.get(name)):
            # of a run's directory, what `fedmed export` has written into it
            yield Path(path, "weights.safetensors") if Path(path).is_dir() else Path(path)
    (node,) = config.nodes(["dataset"])
    option = catalogue.of_target(node.target)
    if option is None or _reads(option, node):
        from fedmed.config.build import build_option

        yield from build_option(node).files()


def _reads(option: Option, node: Node) -> bool:
    """Whether a dataset may read files: one without a text among its own options makes its images."""
    own: list[Any] = [node.values.get(field.name) for field in option.fields if not field.inherited]
    return any(isinstance(value, str) for value in own)


def _version(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _digest_of(file: Path, version: int) -> bytes:
    """What a file holds; nothing where it is not there: the run will say so."""
    try:
        with file.open("rb") as opened:
            return file_digest(opened, lambda: blake2b(digest_size=16)).digest()
    except OSError:
        return b""
