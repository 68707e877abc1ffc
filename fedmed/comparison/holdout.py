"""Leave one site out, read from runs: how well each arm does at a site that it has not seen, and over all sites.

Sites are what a conclusion is drawn from: seeds of one site are averaged before anything is estimated over sites, as
seeds of one world are no independent worlds (Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 2006). Intervals are Student's t over sites.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from fedmed.comparison.estimates import Estimate, estimate
from fedmed.comparison.names import world_names
from fedmed.comparison.rows import Summary
from fedmed.comparison.runs import Comparison
from fedmed.comparison.settings import drop_seeds, settings

HELD_OUT = "dataset.held_out_site"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutRow:
    """One arm at sites that it was not trained on.

    values: by site, the means over seeds; a site where it has none is left out. mean: over those sites, with its 95 % t
    interval. difference: to the reference, over the sites and seeds that both have; None for the reference itself.
    """

    arm: str
    values: Mapping[str, float]
    mean: Estimate
    difference: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutTable:
    """Arms by the site that was held out, of worlds that differ in nothing else.

    world: what they have in common. sites: in the order of the runs. reference: the arm with which others are compared.
    """

    world: str
    metric: str
    sites: tuple[str, ...]
    reference: str
    rows: tuple[HeldOutRow, ...]


def held_out_tables(summary: Summary) -> Iterator[HeldOutTable]:
    """A table of the headline for all worlds that differ in the held-out site alone, two or more of which have one."""
    comparison, metric = summary.comparison, summary.headline
    for world, worlds in _alike(comparison).items():
        values = {arm: _values(comparison, worlds, arm, metric) for arm in comparison.arms}
        rows = [_row(values, arm, comparison.reference) for arm, found in values.items() if found]
        if rows:
            sites = tuple(worlds.values())
            yield HeldOutTable(
                world=world, metric=metric, sites=sites, reference=comparison.reference, rows=tuple(rows)
            )


def _alike(comparison: Comparison) -> dict[str, dict[str, str]]:
    """World without its held-out site -> name of each such world -> the site."""
    runs = {world: run for (world, _, _), run in comparison.runs.items()}  # any of a world says what the world is
    found = [settings(runs[world].config) for world in comparison.worlds]
    sites = [each.pop(HELD_OUT, "null") for each in found]
    names = world_names(drop_seeds(found, [runs[world].seed for world in comparison.worlds]))
    together: dict[str, dict[str, str]] = defaultdict(dict)
    for name, world, site in zip(names, comparison.worlds, sites, strict=True):
        if site != "null":
            together[name][world] = site
    return {name: worlds for name, worlds in together.items() if len(worlds) > 1}


BySite = Mapping[str, Mapping[int, float]]
"""Site -> seed -> value."""


def _values(comparison: Comparison, worlds: Mapping[str, str], arm: str, metric: str) -> BySite:
    found = {site: comparison.values(world, arm, metric) for world, site in worlds.items()}
    return {site: values for site, values in found.items() if values}


def _row(values: Mapping[str, BySite], arm: str, reference: str) -> HeldOutRow:
    means = {site: fmean(found.values()) for site, found in values[arm].items()}
    paired = [] if arm == reference else _paired(values[arm], values.get(reference, {}))
    return HeldOutRow(
        arm=arm,
        values=means,
        mean=estimate(means.values()),
        difference=estimate(paired) if paired else None,
    )


def _paired(ours: BySite, theirs: BySite) -> list[float]:
    """Site by site, the mean difference over the seeds that both have there."""
    shared = {site: ours[site].keys() & theirs[site].keys() for site in ours if site in theirs}
    return [fmean(ours[site][seed] - theirs[site][seed] for seed in seeds) for site, seeds in shared.items() if seeds]
