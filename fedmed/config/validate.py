"""Everything that can be wrong in a composed config and can be seen before data is read, all faults together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from fedmed.config.values import TARGET, Config, Node
from fedmed.errors import Fault, UserError, near
from fedmed.options.catalogue import Catalogue, discover, read_given
from fedmed.options.fields import REQUIRED, Field, fits, show
from fedmed.options.groups import GROUPS, PARTS, SETTINGS
from fedmed.options.rules import conflicts
from fedmed.options.source import Option

Values = Mapping[str, Any]


class Section(NamedTuple):
    """A part of the config: where it is (`strategy.fedprox`, empty for the top), its values, and what may be in it."""

    where: str
    values: Values
    fields: Mapping[str, Field]

    def key(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def validate(config: Config, catalogue: Catalogue | None = None) -> list[Fault]:
    """Every fault of the config that can be found without reading data; empty where all is well."""
    catalogue, values = catalogue or discover(), config.values
    faults = [fault for section in sections(config, catalogue) for fault in _check_section(section)]
    faults += _check_choices(config, catalogue)
    wrong = {fault.where for fault in faults}
    classes = {node.where: re.split(r"[.:]", node.target)[-1] for node in config.nodes()}
    return faults + [fault for fault in conflicts(_sound(values, wrong), classes) if fault.where not in wrong]


def _sound(values: Values, wrong: Collection[str]) -> Values:
    """All settings; what is missing, as in a config of an earlier version, or wrong is at its default."""

    def sound(held: Any, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
        defaults = {name: field.default for name, field in fields.items()}
        given = held if isinstance(held, Mapping) else {}
        return defaults | {name: value for name, value in given.items() if f"{where}{name}" not in wrong}

    return sound(values, SETTINGS, "") | {name: sound(values.get(name), PARTS[name], f"{name}.") for name in PARTS}


def sections(config: Config, catalogue: Catalogue) -> Iterator[Section]:
    """The parts of a config: its settings, its optimizer, and the chosen option of every group."""
    values = config.values
    yield Section("", {k: v for k, v in values.items() if k not in GROUPS and k not in PARTS}, SETTINGS)
    for part, fields in PARTS.items():
        held = values.get(part) or {}
        yield Section(part, held if isinstance(held, Mapping) else {"": held}, fields)
    for node in config.nodes():
        if option := option_of(node, catalogue):
            yield Section(node.where, node.values, {field.name: field for field in option.fields})


def option_of(node: Node, catalogue: Catalogue) -> Option | None:
    """The option that a node of the config builds; None where there is none."""
    if known := catalogue.of_target(node.target):
        return known
    for group in GROUPS.values() if ".py:" in node.target else ():
        try:
            return read_given(node.target, group)
        except UserError:
            continue
    return None


def _check_section(section: Section) -> Iterator[Fault]:
    for name in sorted(section.values.keys() - section.fields.keys()):
        yield Fault(section.key(name), "an option that exists", show(section.values[name]), near(name, section.fields))
    for name, field in section.fields.items():
        value = section.values.get(name, field.default)
        if value == REQUIRED or not fits(value, field.type):
            yield bad_value(section.key(name), field, value)


def bad_value(where: str, field: Field, value: object) -> Fault:
    """The fault of a value that its field does not take."""
    if value == REQUIRED:
        return Fault(where, field.expected, "nothing", f"Write {where}=... ({field.meaning})")
    hint = "" if field.default == REQUIRED else f"The default is {field.default_text}."
    return Fault(where, field.expected, show(value), hint)


def _check_choices(config: Config, catalogue: Catalogue) -> Iterator[Fault]:
    for group in GROUPS:
        node = config.values.get(group)
        if not node:
            yield Fault(group, "a choice", "nothing", near("", catalogue.options[group]))
        elif not isinstance(node, Mapping) or (group == "strategy" and not _all_mappings(node.values())):
            yield Fault(group, "a choice with its options", show(node), near("", catalogue.options[group]))
    for node in config.nodes():
        if option_of(node, catalogue) is None:
            fix = "Put its file back, or choose another."
            yield Fault(f"{node.where}.{TARGET}", "an option that exists", node.target, fix)


def _all_mappings(found: Iterable[object]) -> bool:
    return all(isinstance(each, Mapping) for each in found)
