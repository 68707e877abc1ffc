"""Overrides, checked one by one before Hydra composes them: what they choose, what they set, how they are written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException

from fedmed.config.composition import FAILURES, chosen, superfluous
from fedmed.config.grammar import choices, key_of, quoted, value_of
from fedmed.config.schema import default_of
from fedmed.config.validate import bad_value, sections
from fedmed.config.values import Config
from fedmed.errors import Fault, near
from fedmed.options.catalogue import Catalogue
from fedmed.options.fields import Field
from fedmed.options.groups import GROUPS, PARTS, SETTINGS

Sections = Mapping[str, Mapping[str, Field]]
"""What may be set, by where it is: settings at the empty name, the optimizer's, and those of every chosen option."""


def well_formed(overrides: Sequence[str], faults: list[Fault]) -> list[str]:
    """The overrides that Hydra can parse; a fault for each of the others."""
    parser, good = OverridesParser.create(), []
    for override in overrides:
        if fault := _form(override, parser):
            faults.append(fault)
        else:
            good.append(override)
    return good


def _form(override: str, parser: OverridesParser) -> Fault | None:
    if key_of(override) in GROUPS and value_of(override) in ("", "null", "[]"):
        return Fault(override, "a choice", "none", f"See fedmed list {GROUPS[key_of(override)].plural}.")
    if not re.match(r"~[\w./@]+|[+]{0,2}[\w./@]+=", override):
        return Fault(f"'{override}'", "option=value", override, "See fedmed run --help.")
    if override.startswith("~") and not override.startswith("~hydra"):
        fix = f"Leave {key_of(override)} alone: it is at its default unless it is set."
        return Fault(override, "option=value, as options are never taken out", override, fix)
    try:
        parser.parse_override(override)
    except HydraException as error:
        got = str(error).splitlines()[0]
        return Fault(key_of(override), "a value that parses", got, f"Quote it: {_quoted(override)}")
    return None


class CheckedOverrides:
    """The overrides of a run, checked against what can be chosen, and then against what can be set under the choices.

    sound: those that fit. faults: of the others. sections: what may be set; empty where the choices do not compose.
    """

    def __init__(self, overrides: Sequence[str], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.faults: list[Fault] = []
        self.sound = list(overrides)
        searched = any(key_of(each) == "hydra.searchpath" for each in overrides)  # where only Hydra knows the names
        self._keep_sound(lambda each: _choice_faults(each, catalogue, searched=searched))
        self.sections = _known_sections(self.sound, catalogue) or self._composed_sections()
        self._keep_sound(self._value_faults)

    def leave_out(self, culprit: str | None, error: Exception) -> None:
        """Leaves out the override that keeps Hydra from composing; all, where there is no single one."""
        if culprit is None:
            self.faults.append(Fault("configuration", "one that Hydra composes", str(error).splitlines()[0]))
            self.sections = {}
            return
        where, _, name = key_of(culprit).rpartition(".")
        field, value = self.sections.get(where, {}).get(name), value_of(culprit)
        words = Fault(key_of(culprit), "what Hydra composes", str(error).splitlines()[0])
        fault = bad_value(key_of(culprit), field, value) if field else words
        self._keep_sound(lambda each: [fault] if each == culprit else [])

    def _keep_sound(self, faults_of: Callable[[str], Sequence[Fault]]) -> None:
        """Leaves out overrides that have faults, and those that give options to what these would have chosen."""
        found = {each: faults_of(each) for each in self.sound}
        self.faults += [fault for faults in found.values() for fault in faults]
        dropped = tuple(f"{key_of(each)}." for each, faults in found.items() if faults)
        self.sound = [each for each in self.sound if not found[each] and not key_of(each).startswith(dropped)]

    def _composed_sections(self) -> Sections:
        """What may be set under choices that only Hydra knows: those of experiments, presets and its search path."""
        while True:
            choices = [each for each in self.sound if _is_choice(each)]
            try:
                return {part.where: part.fields for part in sections(Config(chosen(choices)), self._catalogue)}
            except FAILURES as error:
                culprit, fault = self._blame(choices, error)
            self._keep_sound(lambda each: [fault] if each == culprit else [])  # noqa: B023  (called at once)
            if culprit is None:
                self.faults.append(fault)
                return {}

    def _blame(self, choices: Sequence[str], error: Exception) -> tuple[str | None, Fault]:
        """The choice that does not compose, and its fault."""
        if isinstance(error, MissingConfigException):
            group, _, name = str(error.missing_cfg_file).rpartition("/")
            culprit = next((each for each in reversed(choices) if key_of(each) == group), None)
            fault = unknown_choice(group, name, names_of(group, self._catalogue), self._catalogue)
            return culprit or superfluous(choices, chosen), fault
        culprit = superfluous(choices, chosen)
        where = key_of(culprit) if culprit else "configuration"
        return culprit, Fault(where, "one that Hydra composes", str(error.__cause__ or error).splitlines()[0])

    def _value_faults(self, override: str) -> list[Fault]:
        """What is wrong with setting this here, or to several values; the value itself is looked at later."""
        key, value = key_of(override), value_of(override)
        where, _, name = key.rpartition(".")
        if _is_choice(override) or not self.sections:
            return []
        if override.startswith("++strategy.") and where not in self.sections:  # of a method that other runs have
            return []
        if name in self.sections.get(where, {}):
            return list(_several_values(override))
        if key in self.sections:
            fix = f"Write {key}.{next(iter(self.sections[key]), 'option')}=..., for instance."
            return [Fault(key, "its options one by one", value, fix)]
        return [_of_another(key, value, self._catalogue) or _unknown_key(key, value, self.sections)]


def _is_choice(override: str) -> bool:
    """Whether an override chooses among options or experiments, or is Hydra's own; others set values."""
    key = key_of(override)
    return key in GROUPS or key == "experiment" or re.match(r"hydra\b", key) is not None


def _choice_faults(override: str, catalogue: Catalogue, *, searched: bool) -> list[Fault]:
    """What is wrong with a choice; nothing for other overrides. searched: whether Hydra looks in further places."""
    key = key_of(override)
    if key not in GROUPS and key != "experiment":
        return []
    if several := list(_several_values(override)):
        return several
    known = names_of(key, catalogue)
    names = {name for members in choices([override], key) for name in members} - set(known)
    return [] if searched else [unknown_choice(key, name, known, catalogue) for name in sorted(names)]


def _known_sections(overrides: Sequence[str], catalogue: Catalogue) -> Sections:
    """What may be set under choices that the catalogue knows; empty where there are others."""
    if any(key_of(each) not in GROUPS and _is_choice(each) for each in overrides):
        return {}
    found: dict[str, Mapping[str, Field]] = {"": SETTINGS, **PARTS}
    for group in GROUPS:
        given = choices(overrides, group)
        for name in given[-1] if given else [default_of(group, catalogue, overrides)]:
            if (option := catalogue.options[group].get(name)) is None:
                return {}
            where = f"{group}.{name}" if group == "strategy" else group
            found[where] = {field.name: field for field in option.fields}
    return found


def unknown_choice(group: str, name: str, known: Iterable[str], catalogue: Catalogue) -> Fault:
    """The fault of a name that no option of the group has."""
    if broken := catalogue.broken.get(group, {}).get(name):
        return Fault(f"{group}={name}", "a file that fedmed can read", broken.reason, f"Mend {broken.file}.")
    return Fault(group, f"the name of {'an' if group[:1] in 'aei' else 'a'} {group}", name, near(name, known))


def names_of(group: str, catalogue: Catalogue) -> list[str]:
    """The options of a group, presets included."""
    names = GlobalHydra.instance().config_loader().get_group_options(group)
    return [name for name in names if not name.startswith("_")]


def _several_values(override: str) -> Iterator[Fault]:
    """The fault of an override that only a sweep can have."""
    key, value = key_of(override), value_of(override)
    if not OverridesParser.create().parse_override(override).is_sweep_override():
        return
    joined = f"Join methods as {value.replace(',', '+')}, or add" if key == "strategy" else "Add"
    one = "" if key in GROUPS else f" If it is one text, quote it: {_quoted(f'{key}={value}')}"
    yield Fault(key, "one value", value, f"{joined} --multirun to run each.".replace("[", "").replace("]", "") + one)


def _of_another(key: str, value: str, catalogue: Catalogue) -> Fault | None:
    """The fault of setting what only other choices of the group have; None where no choice has it."""
    group, _, name = key.partition(".")
    having = [n for n, o in catalogue.options.get(group, {}).items() if any(field.name == name for field in o.fields)]
    if not having or group == "strategy":
        return None
    return Fault(key, f"an option of the chosen {group}", value, f"Set {group}={' or '.join(having)}.")


def _unknown_key(key: str, value: str, sections: Sections) -> Fault:
    where, _, name = key.rpartition(".")
    every = [f"{place}.{field}".lstrip(".") for place, fields in sections.items() for field in fields]
    if alike := [each for each in every if each.rpartition(".")[2] == name]:
        return Fault(key, "an option that exists", value, f"Did you mean {' or '.join(alike)}?")
    if where in sections and where:
        return Fault(key, f"an option of {where}", value, near(name, sections[where]))
    if key.startswith("strategy.") and key.count(".") > 1:
        chosen = ", ".join(place.partition(".")[2] for place in sections if place.startswith("strategy."))
        method = key.split(".")[1]
        return Fault(key, f"an option of a chosen method ({chosen})", method, f"Add strategy={method}.")
    close = get_close_matches(key, [*every, *GROUPS, "experiment"], n=3)
    return Fault(key, "an option that exists", value, near(key, close or ["those of fedmed run --help"]))


def _quoted(override: str) -> str:
    """The override as one would write it in a shell, its value as text."""
    return shlex.quote(f"{override.partition('=')[0]}={quoted(value_of(override))}")
