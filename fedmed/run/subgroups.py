"""The global model on parts of the server's test images: by domain, and by group of every attribute."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np
import torch

from fedmed.data.attributes import Attribute
from fedmed.data.examples import Indices
from fedmed.metric_direction import worst
from fedmed.metrics import Tally
from fedmed.metrics.scores import Scores
from fedmed.run.parts import Parts
from fedmed.run.rows import rests
from fedmed.rundir.final import Final

SMALL = 10
"""Images below which a group is named and not scored: its value would be of those few and of nobody else."""


def interval_of(parts: Parts, tally: Tally, scores: Scores, prefix: str, rows: Indices | None = None) -> Final:
    """`<prefix>.<metric>.low` and `.high` of the run's metric, by patient where patients are known.

    scores: of the tally. rows: those of the test images that were added up (None: all). Nothing where there is no such
    interval: of the loss, of a user's own metric, and of what is not defined.
    """
    own = [metric.__name__ for metric in parts.trainer.training.metrics]
    if parts.metric not in scores.values or parts.metric in ("loss", *own):
        return {}
    patient = parts.world.test_patient
    groups = None if patient is None else torch.from_numpy(patient if rows is None else patient[rows])
    low, high = tally.interval(parts.metric, groups, seed=parts.experiment.seed)
    return {f"{prefix}.{parts.metric}.low": low, f"{prefix}.{parts.metric}.high": high}


def by_domain(parts: Parts) -> Final:
    """`domain.<name>.<metric>`, and the `mean`, the `worst` and the `spread` (largest minus smallest) over the domains.

    Every domain counts alike; where some have no value, these say so: `.defined` domains `.of` all. Nothing where the
    test images are of one domain.
    """
    return _by_part(parts, "domain", parts.world.test_domains, smallest=1, difference="spread")


def by_attribute(parts: Parts) -> Final:
    """`group.<attribute>.<value>.<metric>` and `.images`, and the `mean`, the `worst` and the `gap` (best minus worst).

    They are over groups as those of domains are. A group of fewer than `SMALL` images has its number of images and no
    metric; images whose value is not known are counted as `group.<attribute>.unknown.images`, and are in no group.
    Nothing of an attribute of which all test images are in one group.
    """
    out: Final = {}
    for name, found in parts.world.test_attributes.items():
        if told := _by_part(parts, f"group.{name}", groups_of(found), smallest=SMALL, difference="gap"):
            unknown = int((found.codes < 0).sum())
            out |= told | ({f"group.{name}.unknown.images": unknown} if unknown else {})
    return out


def groups_of(attribute: Attribute) -> dict[str, Indices]:
    """Which rows are of which group, by its name; groups that no row is of are left out."""
    rows = {name: np.flatnonzero(attribute.codes == code) for code, name in enumerate(attribute.names)}
    return {name: mine for name, mine in rows.items() if len(mine)}


def _by_part(parts: Parts, scope: str, sets: Mapping[str, Indices], *, smallest: int, difference: str) -> Final:
    """The metrics of every set of rows that is no smaller than `smallest`, and over all of them."""
    if len(sets) < 2:
        return {}
    out: Final = {}
    values: dict[str, list[float]] = {}
    for name, rows in sets.items():
        out[f"{scope}.{name}.images"] = len(rows)
        if len(rows) >= smallest:
            tally = parts.trainer.assess(parts.world.test[torch.from_numpy(rows)], "test")
            scores = tally.scores()
            out |= {f"{scope}.{name}.{metric}": value for metric, value in scores.flat().items()}
            out |= interval_of(parts, tally, scores, f"{scope}.{name}", rows)
            for metric, value in scores.values.items():
                values.setdefault(metric, []).append(value)
    for metric, found in values.items():
        out |= _over(parts, scope, metric, found, of=len(sets), difference=difference)
    return out


def _over(parts: Parts, scope: str, metric: str, values: list[float], *, of: int, difference: str) -> Final:
    """What is over all sets: mean, worst, and the difference of best and worst where two of them or more have a value.

    of: how many sets there are.
    """
    if not (defined := [value for value in values if isfinite(value)]):
        return {}
    over: Final = {f"{scope}.mean.{metric}": sum(defined) / len(defined)}
    if metric in parts.directions:
        over[f"{scope}.worst.{metric}"] = worst(defined, higher=parts.directions[metric])
    if len(defined) > 1:
        over[f"{scope}.{difference}.{metric}"] = max(defined) - min(defined)
    return over | rests(over, len(defined), of)
