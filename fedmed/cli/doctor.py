"""`fedmed doctor`: what is installed, where things go, and what does not work."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from fedmed import __version__
from fedmed.cli.arguments import Parser
from fedmed.cli.columns import beside
from fedmed.files import runs_folder
from fedmed.options.catalogue import discover, user_folders
from fedmed.options.groups import GROUPS, PACKAGE

PACKAGES = ("torch", "flwr", "monai", "hydra-core", "numpy", "scipy", "safetensors", "matplotlib", "rich")
"""Packages that every installation has."""

OPTIONAL = {
    "tensorboard": "reading runs in TensorBoard",
    "ray": "Flower's simulation on Ray",
    "mlflow-skinny": "tracking=mlflow",
    "wandb": "tracking=wandb",
}
"""What only some uses need, and which."""


def main(arguments: list[str]) -> int:
    """Prints the state of this installation; returns 1 when something that fedmed needs is missing."""
    Parser("doctor", "Shows versions, devices and folders, and what does not work.").parse_args(arguments)
    missing = [name for name in PACKAGES if _version(name) is None]
    lines = [
        ("fedmed", f"{__version__} in {PACKAGE}"),
        ("python", f"{platform.python_version()} on {platform.platform()}"),
    ]
    lines += [(name, _version(name) or "MISSING; install fedmed again") for name in PACKAGES]
    lines += [(name, _version(name) or f"not installed; only for {use}") for name, use in OPTIONAL.items()]
    lines += [*_torch(), *_folders(), *_options()] if "torch" not in missing else [*_folders(), *_options()]
    for name, text in lines:
        print(beside(f"{name:<16}", text))
    return 1 if missing else 0


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _torch() -> Iterator[tuple[str, str]]:
    import torch

    from fedmed.devices import device_of, gpus

    yield "processors", f"{os.cpu_count()}, and torch uses {torch.get_num_threads()} threads outside runs"
    found = gpus()
    yield "devices", ", ".join(["cpu", *(f"cuda:{i} ({name})" for i, name in enumerate(found))])
    none = "torch finds no GPU" if torch.version.cuda else "this build of torch is for processors only"
    why = "" if found else f", as {none}"
    yield "device", f"cpu unless a run says otherwise; device=auto takes {device_of('auto')}{why}"


def _folders() -> Iterator[tuple[str, str]]:
    runs = runs_folder().resolve()
    there = next(folder for folder in (runs, *runs.parents) if folder.exists())
    yield "runs", f"{runs}{'' if os.access(there, os.W_OK) else ' (CANNOT BE WRITTEN)'}"
    for group in GROUPS.values():
        for folder in user_folders(group):
            if folder.is_dir():
                yield group.plural, f"also from {folder}"


def _options() -> Iterator[tuple[str, str]]:
    catalogue = discover()
    yield "options", ", ".join(f"{len(found)} {GROUPS[group].plural}" for group, found in catalogue.options.items())
    for broken in (each for found in catalogue.broken.values() for each in found.values()):
        yield "BROKEN", f"{broken.group}={broken.name}: {broken.reason} ({broken.file})"
