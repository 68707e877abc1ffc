"""What Hydra refuses, in the project's one sentence form, with near misses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from fedmed.config.discovery import GROUPS, Catalogue
from fedmed.config.grammar import choices, key_of, quoted, value_of
from fedmed.config.validate import Section, bad_value, sections
from fedmed.errors import Fault, near

Trouble = tuple[str | None, Exception]
"""An override that does not fit (None where no single one is to blame), and what Hydra said."""


def malformed(overrides: Sequence[str], faults: list[Fault]) -> list[str]:
    """The overrides that Hydra can parse; a fault for each of the others."""
    parser, good = OverridesParser.create(), []
    for override in overrides:
        if key_of(override) in GROUPS and value_of(override) in ("", "null", "[]"):
            faults.append(Fault(override, "a choice", "none", f"See fedmed list {GROUPS[key_of(override)].plural}."))
            continue
        if not re.match(r"~[\w./@]+|[+]{0,2}[\w./@]+=", override):
            faults.append(Fault(f"'{override}'", "option=value", override, "See fedmed run --help."))
            continue
        if override.startswith("~") and not override.startswith("~hydra"):
            fix = f"Leave {key_of(override)} alone: it is at its default unless it is set."
            faults.append(Fault(override, "option=value, as options are never taken out", override, fix))
            continue
        try:
            parser.parse_override(override)
            good.append(override)
        except HydraException as error:
            got = str(error).splitlines()[0]
            faults.append(Fault(key_of(override), "a value that parses", got, f"Quote it: {_quoted(override)}"))
    return good


def culprit_of(error: Exception, overrides: Sequence[str]) -> str | None:
    """The override that made Hydra fail."""
    if isinstance(error, OverrideParseException):
        return error.override if error.override in overrides else None
    if isinstance(error, MissingConfigException):
        group = str(error.missing_cfg_file).rpartition("/")[0]
        return _last(o for o in overrides if key_of(o) == group)
    text = str(error)
    return _last(o for o in overrides if text.endswith(f" {o}") or f"'{o}'" in text or f"'{key_of(o)}'" in text)


def explain(troubles: Sequence[Trouble], config: DictConfig | None, catalogue: Catalogue) -> list[Fault]:
    """The faults behind what Hydra refused; config: what the other overrides make, for near misses."""
    values: Any = OmegaConf.to_container(config) if config is not None else {}
    parts = list(sections(values, catalogue))
    return [fault for override, error in troubles for fault in _explain(override, error, parts, catalogue)]


def _explain(override: str | None, error: Exception, parts: Sequence[Section], catalogue: Catalogue) -> list[Fault]:
    first = str(error.__cause__ or error).splitlines()[0]
    if isinstance(error, MissingConfigException):
        return _unknown_choices(override, error, catalogue)
    if override is None:
        return [Fault("configuration", "one that Hydra composes", first, "")]
    key, value = key_of(override), value_of(override)
    if key in GROUPS or key == "experiment":
        names = _names(key, catalogue)
        return [_several(key, value) if "," in value else Fault(key, f"the name of a {key}", value, near(value, names))]
    if "Ambiguous value" in first or "requires --multirun" in first:
        return [_several(key, value)]
    section, name = _section(key, parts)
    if key == "optimizer":
        return [Fault(key, "its options one by one", value, "Write optimizer.lr=0.1, for instance.")]
    if section and name in section.fields:
        return [bad_value(key, section.fields[name], value)]
    return [_of_another(key, value, catalogue) or _unknown_key(key, value, section, parts)]


def _several(key: str, value: str) -> Fault:
    joined = f"Join methods as {value.replace(',', '+')}, or add" if key == "strategy" else "Add"
    one = "" if key in GROUPS else f" If it is one text, quote it: {_quoted(f'{key}={value}')}"
    return Fault(key, "one value", value, f"{joined} --multirun to run each.".replace("[", "").replace("]", "") + one)


def _unknown_choices(override: str | None, error: MissingConfigException, catalogue: Catalogue) -> list[Fault]:
    group, _, missing = str(error.missing_cfg_file).rpartition("/")
    names = {n for members in choices([override], group) for n in members} if override else {missing}
    known = _names(group, catalogue)
    return [_unknown_choice(group, name, known, catalogue) for name in sorted(names - set(known))]


def _unknown_choice(group: str, name: str, known: Iterable[str], catalogue: Catalogue) -> Fault:
    if broken := catalogue.broken.get(group, {}).get(name):
        return Fault(f"{group}={name}", "a file that fedmed can read", broken.reason, f"Mend {broken.file}.")
    return Fault(group, f"the name of {'an' if group[:1] in 'aei' else 'a'} {group}", name, near(name, known))


def _names(group: str, catalogue: Catalogue) -> list[str]:
    """The options of a group, presets included."""
    names = GlobalHydra.instance().config_loader().get_group_options(group)
    return [name for name in names if not name.startswith("_")]


def _section(key: str, parts: Sequence[Section]) -> tuple[Section | None, str]:
    where, _, name = key.rpartition(".")
    return next((part for part in parts if part.where == where), None), name


def _of_another(key: str, value: str, catalogue: Catalogue) -> Fault | None:
    """The fault of setting what only other choices of the group have; None where no choice has it."""
    group, _, name = key.partition(".")
    having = [n for n, o in catalogue.options.get(group, {}).items() if any(field.name == name for field in o.fields)]
    if not having or group == "strategy":
        return None
    return Fault(key, f"an option of the chosen {group}", value, f"Set {group}={' or '.join(having)}.")


def _unknown_key(key: str, value: str, section: Section | None, parts: Sequence[Section]) -> Fault:
    name = key.rpartition(".")[2]
    if alike := [part.key(name) for part in parts if name in part.fields]:
        return Fault(key, "an option that exists", value, f"Did you mean {' or '.join(alike)}?")
    if section is None and key.startswith("strategy.") and key.count(".") > 1:
        chosen = ", ".join(part.where.partition(".")[2] for part in parts if part.where.startswith("strategy."))
        method = key.split(".")[1]
        return Fault(key, f"an option of a chosen method ({chosen})", method, f"Add strategy={method}.")
    if section is None or not section.where:
        every = [part.key(n) for part in parts for n in part.fields]
        close = get_close_matches(key, every, n=3)
        return Fault(key, "an option that exists", value, near(key, close or ["those of fedmed run --help"]))
    return Fault(key, f"an option of {section.where}", value, near(name, section.fields))


def _quoted(override: str) -> str:
    """The override as one would write it in a shell, its value as text."""
    return shlex.quote(f"{override.partition('=')[0]}={quoted(value_of(override))}")


def _last(found: Iterable[str]) -> str | None:
    return next(reversed(list(found)), None)
