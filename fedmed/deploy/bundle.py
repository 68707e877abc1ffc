"""A run as a Flower App: the folder that `flwr run` packs and sends to the SuperLink and the SuperNodes.

The resolved config travels in it as a file, and so do the user's own methods, models and metrics: a site composes
nothing, so that its options, folders and working directory cannot change the run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from fedmed.config.build import build, from_yaml
from fedmed.experiment import Experiment

CONFIG, FILES = "config.yaml", "files.json"

PROJECT = """\
[project]
name = "fedmed-run"
version = "1.0.0"
description = "A run of fedmed"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "fedmed"

[tool.flwr.app.components]
serverapp = "fedmed_server:app"
clientapp = "fedmed_client:app"

[tool.flwr.app.config]
directory = {directory}
resume = {resume}
"""

MODULE = """\
from pathlib import Path

from fedmed.run.deployed import {side}

app = {side}(Path(__file__).parent)
"""


def write_bundle(folder: Path, config_yaml: str, directory: Path, *, resume: bool) -> None:
    """Writes the Flower App of a run.

    directory: of the run, on the machine of the SuperLink.
    """
    files = {path: f"own/code{i}.py" for i, path in enumerate(own_files(config_yaml))}
    for path, name in files.items():
        copy = folder / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(Path(path).read_bytes())
    (folder / CONFIG).write_text(config_yaml, encoding="utf-8")
    (folder / FILES).write_text(json.dumps(files), encoding="utf-8")
    for side in ("server", "client"):
        (folder / f"fedmed_{side}.py").write_text(MODULE.format(side=f"{side}_app"), encoding="utf-8")
    values = {"directory": json.dumps(str(directory)), "resume": json.dumps(resume)}
    (folder / "pyproject.toml").write_text(PROJECT.format(**values), encoding="utf-8")


def read_bundle(folder: Path) -> tuple[Experiment, str]:
    """The experiment as it is on this machine, where the user's files lie in the bundle; and as it was written."""
    text = (folder / CONFIG).read_text(encoding="utf-8")
    here = text
    for path, name in json.loads((folder / FILES).read_text(encoding="utf-8")).items():
        here = here.replace(f"{path}:", f"{folder / name}:")
    return build(from_yaml(here)), text


def own_files(config_yaml: str) -> list[str]:
    """The user's files that a config names, each once: `/path/to/file.py` of `/path/to/file.py:Class`."""
    texts = re.findall(r'"([^"]+\.py):', json.dumps(from_yaml(config_yaml).values))
    return sorted(set(texts))
