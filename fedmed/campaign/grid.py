"""The grid of a comparison: every run of it and of its references, checked, named, and known by its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedmed.campaign.holdout import each_held_out, without_holdout
from fedmed.campaign.key import key
from fedmed.comparison.names import arm_names, world_names
from fedmed.comparison.settings import base_name, drop_seeds, is_federated, settings
from fedmed.config import compose
from fedmed.config.grammar import key_of
from fedmed.config.schema import node_of
from fedmed.config.values import Config
from fedmed.errors import Fault, UserError
from fedmed.options.catalogue import Catalogue

if TYPE_CHECKING:
    from fedmed.experiment import Experiment

SEEDS = "0,1,2,3,4"
"""Seeds of a comparison that names none: with fewer, hardly any difference can be told from chance."""

NEUTRAL = {"server": "average", "compression": "none", "privacy": "none"}
"""What is done to what clients send, which they do not in a reference."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedRun:
    """One run to be made, or made already.

    key: see `fedmed.campaign.key`. label: what tells it from the others of its grid
    (`fedprox seed=3`). kind: what it shares with those that differ in the seed only, and that take about as long.
    directory: where it is kept, whichever comparison needs it. experiment: what was made in Python, where it was.
    """

    config: Config
    key: str
    label: str
    kind: str
    directory: Path
    experiment: Experiment | None = None


def grid(overrides: Sequence[str], *, root: Path, with_references: bool = True) -> list[PlannedRun]:
    """Every run that the overrides ask for, values separated by commas being alternatives; each run once.

    `holdout=each` makes of every run one per site, which is held out. root: the folder of all runs. with_references:
    whether local-only and pooled runs stand beside them. Raises `UserError` with the faults of all runs together.
    """
    overrides, holdout = without_holdout(overrides)
    if faults := list(_faults(overrides)):
        raise UserError(*faults)
    seeds = [] if any(key_of(each) == "seed" for each in overrides) else [f"seed={SEEDS}"]
    checked = compose.plan([*overrides, *seeds], sweep=True)
    configs = [run.config for run in checked.runs]
    if holdout:
        configs = list(each_held_out(configs))
    if with_references:
        configs = [*configs, *references(configs, checked.catalogue)]
    return jobs({key(config, checked.catalogue): config for config in configs}, root)


def references(configs: Iterable[Config], catalogue: Catalogue) -> Iterator[Config]:
    """For every config the same with plain local training by each client alone, and by one that holds all images.

    Nothing for a config that is a reference itself, or whose images stay at their sites.
    """
    method = node_of(catalogue.options["strategy"]["fedavg"])
    neutral: dict[str, Any] = {group: node_of(catalogue.options[group][name]) for group, name in NEUTRAL.items()}
    for config in configs:
        if config["pooled"] or config.get("engine.sites") or _trains_alone(config):
            continue
        yield config.changed(**neutral, strategy={"fedavg": {**method, "local": ["*"]}})
        yield config.changed(**neutral, strategy={"fedavg": method}, pooled=True)


def jobs(configs: Mapping[str, Config], root: Path) -> list[PlannedRun]:
    """The configs by their keys as jobs, named by what tells them apart."""
    return [
        PlannedRun(
            config=config,
            key=key,
            label=f"{kind} seed={config['seed']}",
            kind=kind,
            directory=_place(config, key, root),
        )
        for key, config, kind in zip(configs, configs.values(), _kinds(list(configs.values())), strict=True)
    ]


def methods_of(planned: Sequence[PlannedRun]) -> str:
    """The methods of a grid as part of a file's name: `fedavg-fedprox`."""
    names = dict.fromkeys(base_name(run.config) for run in planned if is_federated(run.config))
    return "-".join(names)[:60] or "references"


def _faults(overrides: Sequence[str]) -> Iterator[Fault]:
    for override in overrides:
        name = key_of(override)
        if name == "resume" and not override.endswith("=null"):
            fix = "Give the same command again: what is done is skipped, what was interrupted goes on."
            yield Fault("resume", "nothing, as fedmed compare resumes by itself", override, fix)
        if name.startswith(("hydra.run.", "hydra.sweep.")):
            yield Fault(name, "nothing, as a comparison names its runs itself", override, "Set --runs=FOLDER.")


def _kinds(configs: Sequence[Config]) -> list[str]:
    """World, where there are several, and arm of each, as the comparison will name them."""
    found = drop_seeds([settings(config) for config in configs], [config["seed"] for config in configs])
    worlds = world_names(found)
    arms = arm_names(found, worlds, [base_name(config) for config in configs])
    return [f"{w}: {a}" if len(set(worlds)) > 1 else a for w, a in zip(worlds, arms, strict=True)]


def _place(config: Config, key: str, root: Path) -> Path:
    dataset = settings(config)["dataset"]
    return root / f"{base_name(config)}_{dataset}_seed{config['seed']}_{key[:12]}"


def _trains_alone(config: Config) -> bool:
    return any("*" in (node.values.get("local") or ()) for node in config.nodes(["strategy"]))
