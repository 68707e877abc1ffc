"""The policy that words of a command line choose: `policy=dpbalance beta=1`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from annotated_types import Gt

from fedmed.errors import Fault, UserError, near, refuse
from fedmed.options.base import checked_fields
from fedmed.options.catalogue import Catalogue, options_of, read_given
from fedmed.options.code import resolve
from fedmed.options.fields import fits, read_value
from fedmed.options.groups import POLICIES
from fedmed.options.source import Option
from fedmed.scheduling.jobs import JobsFile
from fedmed.scheduling.policy import Policy
from fedmed.scheduling.reading import read_jobs
from fedmed.scheduling.workload import SyntheticJobs

DEFAULT = "dpbalance"

BETAS = (0.2, 0.5, 1.0, 2.2, 5.0)
"""Aversions to inequality of DPBalance that are compared unless others are given."""


def words_by_name(words: list[str]) -> dict[str, str]:
    """`["policy=dpf", "beta=1"]` by name; `policy.beta` is `beta`. Raises `UserError` for a word of another form."""
    if faults := [
        Fault(word, "option=value", word, "See fedmed schedule --help.") for word in words if "=" not in word
    ]:
        raise UserError(*faults)
    pairs = (word.partition("=") for word in words)
    return {name.removeprefix("policy."): value for name, _, value in pairs}


def policy_from(given: Mapping[str, str]) -> Policy:
    """The policy that options choose by name. Raises `UserError` with all that is wrong with them."""
    catalogue = options_of([POLICIES])
    option = option_named(given.get("policy", DEFAULT), catalogue)
    values = {name: text for name, text in given.items() if name != "policy"}
    return made(option, values)


def option_named(name: str, catalogue: Catalogue) -> Option:
    """The policy of that name, or in a file of the user's. Raises `UserError` where there is none."""
    if ".py" in name:
        return read_given(name, POLICIES)
    option = catalogue.options["policy"].get(name)
    if option is None:
        raise UserError(catalogue.fault("policy", name))
    return option


def made(option: Option, values: Mapping[str, str]) -> Policy:
    """A policy of the class that an option names, with values of its fields as text."""
    fields = {field.name: field for field in option.fields}
    if unknown := [name for name in values if name not in fields]:
        fix = near(unknown[0], fields) if fields else f"{option.name} has none: leave it out."
        raise refuse(unknown[0], f"an option of policy={option.name}", unknown[0], fix)
    read: dict[str, Any] = {name: read_value(_plain(text), fields[name].type) for name, text in values.items()}
    policy: Policy = resolve(option.target)(**read)
    return policy


def betas_from(text: str) -> tuple[float, ...]:
    """`0.5,1,2` as numbers above 0, the usual ones for an empty text. Raises `UserError`."""
    if not text:
        return BETAS
    values = [_plain(each) for each in text.strip("[]").split(",")]
    if wrong := [value for value in values if not fits(value, Annotated[float, Gt(0)])]:
        raise refuse("beta", "numbers above 0, separated by commas", wrong[0], "For instance beta=0.5,1,2.")
    return tuple(float(value) for value in values)


def replays_from(words: list[str], file: Path | None) -> tuple[list[JobsFile], tuple[float, ...]]:
    """What all policies are to be replayed on, and the betas of DPBalance: a jobs file, or synthetic jobs.

    words: options, `beta=` among them. Raises `UserError`.
    """
    options = words_by_name(words)
    betas = betas_from(options.pop("beta", ""))
    if file is None:
        return synthetic_from(options), betas
    if options:
        fix = "Leave out the file, or what describes synthetic jobs."
        raise refuse("--compare", "a jobs file or options of synthetic jobs", " ".join(words), fix)
    return [read_jobs(file)], betas


def synthetic_from(given: Mapping[str, str]) -> list[JobsFile]:
    """Synthetic workloads, one for each seed, as options describe them. Raises `UserError`."""
    if unknown := [name for name in given if name not in checked_fields(SyntheticJobs)]:
        raise refuse(
            unknown[0], "an option of synthetic jobs", unknown[0], near(unknown[0], checked_fields(SyntheticJobs))
        )
    made = SyntheticJobs(**{name: _plain(text) for name, text in given.items()})
    return [made.draw(seed) for seed in range(made.seeds)]


def _plain(text: str) -> Any:
    """A text as YAML has it; one that YAML cannot read as it is."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
