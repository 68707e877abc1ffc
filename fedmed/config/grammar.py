"""The grammar of the command line: what a user writes, rewritten to what Hydra reads.

`fedprox+fednpr` becomes `[fedprox,fednpr]`; `strategy.mu=1` becomes `strategy.fedprox.mu=1` where there is one method;
`strategy=path/to/file.py:Class` becomes the name of the option in that file. Everything else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fedmed.errors import Fault, UserError
from fedmed.options.catalogue import Catalogue, read_given
from fedmed.options.groups import GROUPS, Group

TEMPLATES = ("dataset.pattern", "dataset.image", "dataset.mask", "dataset.site", "dataset.patient", "dataset.split")
"""Options whose texts may hold braces and parentheses, which Hydra would take for something else."""

_LITERAL = re.compile(r"[\d_.]+(e\d+)?|nan|inf|true|false|null", re.IGNORECASE)
"""Names that Hydra takes for a number or for nothing."""

Members = tuple[str, ...]
"""Names of the methods of one run, in order; presets by their own name."""


def split(text: str, mark: str) -> list[str]:
    """Splits at a mark, except inside brackets and quotes: `a,[b,c]` at commas is `a` and `[b,c]`."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        depth += (letter in "[({") - (letter in "])}") if not quote else 0
        if letter == mark and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def key_of(override: str) -> str:
    """The option that an override sets: `strategy.fedprox.mu` for `++strategy.fedprox.mu=1`."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def value_of(override: str) -> str:
    """What an override sets the option to."""
    return override.partition("=")[2]


def resumed_of(overrides: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The run directory that overrides resume, None where it is a new run; and the overrides of that run."""
    named = [value_of(o) for o in overrides if key_of(o) == "resume" and value_of(o) != "null"]
    others = [o for o in overrides if key_of(o) != "resume"]
    return (Path(named[-1]), others) if named else (None, list(overrides))


def quoted(value: str) -> str:
    """A text as Hydra reads it whatever is in it: commas, apostrophes, brackets, equals signs."""
    return "'{}'".format(re.sub(r"(\\*)'", r"\1\1\'", value))


def quote_paths(overrides: Sequence[str]) -> list[str]:
    """Quotes the values that name a file or folder there is, or are templates, which Hydra would take otherwise."""
    return [f"{o.partition('=')[0]}={quoted(value_of(o))}" if _needs_quotes(o) else o for o in overrides]


def choices(overrides: Sequence[str], group: str) -> list[Members]:
    """The alternatives that the overrides give for a group: one, or several in a sweep; none when they name none."""
    values = [value_of(o) for o in overrides if key_of(o) == group]
    return [_names(part) for part in split(values[-1], ",")] if values else []


def name_files(overrides: Sequence[str], catalogue: Catalogue, faults: list[Fault]) -> list[str]:
    """Adds the options in files that the overrides name to the catalogue, and names them by their option.

    An override whose file holds no such option is left out, with its faults added to `faults`.
    """
    return [named for override in overrides if (named := _name_files(override, catalogue, faults))]


def join_members(overrides: Sequence[str]) -> list[str]:
    """Writes the methods of every `strategy=` as a list, which Hydra composes in order."""
    return [f"strategy={_brackets(value_of(o))}" if o.startswith("strategy=") else o for o in overrides]


def refuse_repeats(alternatives: Sequence[Members], presets: Mapping[str, str]) -> list[Fault]:
    """A fault for every method that is given twice in one run: Hydra would merge the two silently.

    presets: the method of each preset, which counts as that method.
    """
    return [fault for names in alternatives for fault in _repeats(names, [presets.get(name, name) for name in names])]


def name_members(
    overrides: Sequence[str], alternatives: Sequence[Members], catalogue: Catalogue, faults: list[Fault], *, sweep: bool
) -> list[str]:
    """Completes `strategy.mu=` with the method's name, and lets jobs of a sweep ignore options of methods they lack.

    alternatives: methods by their own names, not their presets'. An override whose method is not clear is left out,
    with a fault added to `faults`.
    """
    return [
        named for override in overrides if (named := _name_member(override, alternatives, catalogue, faults, sweep))
    ]


def is_short(override: str, catalogue: Catalogue) -> bool:
    """Whether an override names an option of a method but no method: `strategy.mu=1`."""
    first, *rest = key_of(override).split(".")
    return first == "strategy" and len(rest) == 1 and rest[0] not in catalogue.options["strategy"]


def _name_files(override: str, catalogue: Catalogue, faults: list[Fault]) -> str | None:
    group = GROUPS.get(key_of(override))
    if group is None or ".py" not in override:
        return override
    try:
        value = value_of(override)
        parts = [value] if _is_file(value) else split(value, ",")
        values = [_name_file(part, group, catalogue) for part in parts]
    except UserError as error:
        faults.extend(error.faults)
        return None
    return f"{override.partition('=')[0]}={','.join(values)}"


def _name_file(value: str, group: Group, catalogue: Catalogue) -> str:
    parts = (value,) if _is_file(value) else _names(value)
    names = [_register(part, group, catalogue) if ".py" in part else part for part in parts]
    return "+".join(names)


def _is_file(choice: str) -> bool:
    """Whether a choice is path/to/file.py or path/to/file.py:Class of a file that there is."""
    path, _, cls = choice.rpartition(".py")
    return path != "" and re.fullmatch(r"(:\w+)?", cls) is not None and _exists(f"{path}.py")


def _needs_quotes(override: str) -> bool:
    key, value = key_of(override), value_of(override)
    if key in GROUPS or not re.search(r"[,'\"=()\[\]{}]", value) or value[:1] + value[-1:] in ("''", '""'):
        return False
    if key in TEMPLATES:
        return True
    path, colon, _ = value.rpartition(":")
    return _exists(value) or (colon != "" and _exists(path))


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError):  # a name that no file can have, or somebody's home that there is not
        return False


def _register(text: str, group: Group, catalogue: Catalogue) -> str:
    option = read_given(text, group)
    namesake = catalogue.options[group.name].get(option.name)
    another = namesake is not None and namesake.target != option.target
    if another or _LITERAL.fullmatch(option.name):  # named by its path, so it is clear which of the two is meant
        option = replace(option, name=f"own_{option.name}")
    catalogue.add(option)
    if option.name in catalogue.broken[group.name]:
        raise UserError(catalogue.fault(group.name, option.name))
    return option.name


def _names(value: str) -> Members:
    bare = value.strip().strip("\"'")
    if bare.startswith("[") and bare.endswith("]"):
        return tuple(part.strip() for part in split(bare[1:-1], ",") if part.strip())
    return tuple(part.strip() for part in split(bare, "+"))


def _brackets(value: str) -> str:
    parts = split(value, ",")
    return ",".join(part if "(" in part else f"[{','.join(_names(part))}]" for part in parts)


def _repeats(names: Members, methods: Sequence[str]) -> list[Fault]:
    return [
        Fault("strategy", "every method once", "+".join(names), f"Leave one {method} out{_preset(names, method)}.")
        for method in dict.fromkeys(methods)
        if methods.count(method) > 1
    ]


def _preset(names: Members, method: str) -> str:
    presets = [name for name in names if name != method]
    return f" ({' and '.join(presets)} counts as {method})" if method not in presets and presets else ""


def _name_member(
    override: str, alternatives: Sequence[Members], catalogue: Catalogue, faults: list[Fault], sweep: bool
) -> str | None:
    parts = key_of(override).split(".")
    if is_short(override, catalogue):
        if len(alternatives) == 1 and len(alternatives[0]) == 1 and not sweep:
            return override.replace("strategy.", f"strategy.{alternatives[0][0]}.", 1)
        if any(alternatives):  # else the choice itself is at fault
            faults.append(_unclear(parts[1], alternatives, sweep))
        return None
    if parts[0] == "strategy" and len(parts) > 2 and not override.startswith(("+", "~")):
        having = [parts[1] in names for names in alternatives]
        return f"++{override}" if any(having) and not all(having) else override
    return override


def _unclear(option: str, alternatives: Sequence[Members], sweep: bool) -> Fault:
    names = dict.fromkeys(name for members in alternatives for name in members)
    written = " or ".join(f"strategy.{name}.{option}=" for name in names)
    got = "no method's name in a sweep" if sweep else f"{len(names)} methods and none named"
    return Fault(f"strategy.{option}", "the method that it belongs to", got, f"Write {written}.")
