"""The last evaluation in full as a file of its run: values per class, confusion matrix, and what curves are drawn from.

Its entries are described in `fedmed.metrics`: `Scores.detail` and `fedmed.metrics.breakdown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.rundir.json_text import dumps, parse

NAME = "evaluation.json"


def write_evaluation(test: Mapping[str, object], folder: Path) -> None:
    """Writes evaluation.json: what was found on the server's test images, an entry per line."""
    lines = ",\n".join(f"    {dumps(name)}: {dumps(value)}" for name, value in test.items())
    write_atomically(folder / NAME, f'{{\n  "test": {{\n{lines}\n  }}\n}}\n')


def read_evaluation(folder: Path) -> dict[str, Any]:
    """What the run found on the server's test images; nothing where it kept nothing; raises UserError for damage."""
    path = folder / NAME
    try:
        found = parse(path.read_bytes(), str(path)).get("test", {})
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise refuse(str(path), "a file", error.strerror or str(error), "Check the path.") from error
    if not isinstance(found, dict):
        raise refuse(str(path), "the evaluation of a run", type(found).__name__, "Remove it.")
    return found
