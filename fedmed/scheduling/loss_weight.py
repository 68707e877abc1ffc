"""What a unit of a job's demand is worth: given as a loss, or as the validation loss of a finished run of its kind."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

from fedmed.errors import refuse
from fedmed.rundir.directory import RunDirectory


def weight_of(loss: Any, where: str) -> float:
    """A loss as a weight: a number above 0, or `from=<run directory>` for the validation loss that this run ended with.

    where: names it in errors. Raises `UserError`.
    """
    if isinstance(loss, int | float) and not isinstance(loss, bool) and isfinite(loss) and loss > 0:
        return float(loss)
    text = str(loss)
    if not text.startswith("from="):
        raise refuse(where, "a number > 0, or from=<run directory>", text, "")
    rows = RunDirectory.open(Path(text.removeprefix("from=")).expanduser()).rows("rounds")
    found = [row["val.loss"] for row in rows if isinstance(row.get("val.loss"), int | float)]
    if not found or not found[-1] > 0:
        fix = "Choose a run with scopes=[client], or write the loss itself."
        raise refuse(where, "a run that has a validation loss above 0", text, fix)
    return float(found[-1])
