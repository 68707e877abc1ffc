"""Leave one site out: for every run of a comparison one per site, which trains on the others and is tested there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fedmed.config.grammar import key_of, value_of
from fedmed.config.values import Config
from fedmed.errors import near, refuse

if TYPE_CHECKING:
    from fedmed.data.examples import Dataset

OPTION = "holdout"
EACH = "each"


def without_holdout(overrides: Sequence[str]) -> tuple[list[str], bool]:
    """The overrides without `holdout=each`, and whether they have it; raises UserError where it asks for another."""
    given = [value_of(each) for each in overrides if key_of(each) == OPTION]
    for value in given:
        check_holdout(value)
    return [each for each in overrides if key_of(each) != OPTION], bool(given)


def check_holdout(given: str) -> None:
    """Raises UserError where it is not `each`."""
    if given != EACH:
        fix = f"{near(given, [EACH])} A site alone is dataset.held_out_site={given or '<site>'}."
        raise refuse(OPTION, EACH, given or "nothing", fix)


def each_held_out(configs: Sequence[Config]) -> Iterator[Config]:
    """Every config once for each site of its dataset, which that run does not train on.

    Reads the datasets, each once. Raises UserError where one has fewer than two sites or says itself which are held
    out, and where images stay at their sites.
    """
    from fedmed.config.build import build_option  # which takes torch, that other grids do without

    known: dict[str, list[str]] = {}
    for config in configs:
        (node,) = config.nodes(["dataset"])
        if config.get("engine.sites"):
            fix = "Give each run a site's file as its dataset.path instead."
            raise refuse(OPTION, "images in one place, as engine.sites=false", "engine.sites=true", fix)
        dataset = known.get(repr(node)) or known.setdefault(repr(node), sites_of(build_option(node)))
        for site in dataset:
            yield config.changed(dataset={**config["dataset"], "held_out_site": site})


def sites_of(dataset: Dataset) -> list[str]:
    """The names of the sites that have images, in the order of their numbers.

    Raises UserError where there are fewer than two, or where the dataset holds one out already.
    """
    if dataset.held_out_site is not None:
        fix = f"Leave one of the two out: {OPTION}={EACH} holds out every site in turn."
        raise refuse("dataset.held_out_site", f"null, as {OPTION}={EACH}", str(dataset.held_out_site), fix)
    sites = list(dataset.load().sites)
    if len(sites) < 2:
        fix = "Choose a dataset that says from which site each image is."
        raise refuse(OPTION, "a dataset of two sites or more", ", ".join(sites) or "one that names no sites", fix)
    return sites
