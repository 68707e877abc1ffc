"""`fedmed list`: every option that a run can choose, one line each, and the public federations that have a card."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from fedmed.cli.arguments import Parser
from fedmed.cli.columns import beside
from fedmed.cli.federations import show_federations
from fedmed.errors import near, refuse
from fedmed.options.catalogue import Catalogue, options_of
from fedmed.options.fields import Field
from fedmed.options.groups import GROUPS, POLICIES, Group
from fedmed.options.source import Option

FOLDERS = {"experiments": "experiment", "federations": "dataset"}
"""Kinds that are presets, and their folders among fedmed's configs."""


class ListedOption(NamedTuple):
    """One option: its name, its own options with their defaults, and what it is."""

    name: str
    options: str
    summary: str


def main(arguments: list[str]) -> int:
    """Lists the options of one group, or the names of all."""
    groups = [*GROUPS.values(), POLICIES]
    kinds = {**{group.plural: group for group in groups}, **dict.fromkeys(FOLDERS)}
    parser = Parser("list", f"Lists what a run, or a schedule, can choose: {', '.join(kinds)}.")
    parser.add_argument("kind", nargs="?", help="what to list; without it, the names of all")
    kind, catalogue = parser.parse_args(arguments).kind, options_of(groups)
    singular = {group.name: group for group in groups}
    if kind is None:
        _show([ListedOption(each, "", ", ".join(_names(each, group, catalogue))) for each, group in kinds.items()])
    elif kind in ("experiments", "experiment"):
        _show(_yaml_lines("experiment"))
    elif kind in ("federations", "federation"):
        show_federations()
    elif group := {**kinds, **singular}.get(kind):
        _show([*map(_line, catalogue.options[group.name].values()), *_yaml_lines(group.name)])
        _show_rest(group, catalogue)
    else:
        raise refuse("fedmed list", f"one of {', '.join(kinds)}", kind, near(kind, kinds))
    return 0


def _names(kind: str, group: Group | None, catalogue: Catalogue) -> Iterable[str]:
    return catalogue.options[group.name] if group else (line.name for line in _yaml_lines(FOLDERS[kind]))


def _line(option: Option) -> ListedOption:
    return ListedOption(option.name, _options(f for f in option.fields if not f.inherited), option.summary)


def _options(fields: Iterable[Field]) -> str:
    return " ".join(f"{field.name}={field.default_text}" for field in fields)


def _yaml_lines(folder: str) -> list[ListedOption]:
    """The experiments or presets among fedmed's configs, each described by its first comment."""
    place = files("fedmed.configs") / folder
    found = sorted(place.iterdir(), key=lambda file: file.name) if place.is_dir() else []
    return [
        ListedOption(file.name.removesuffix(".yaml"), "", _comment(file.read_text(encoding="utf-8")))
        for file in found
        if file.name.endswith(".yaml")
    ]


def _comment(text: str) -> str:
    comments = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")]
    return next((comment for comment in comments if not comment.startswith("@")), "")


def _show(lines: list[ListedOption]) -> None:
    if sys.stdout.isatty():
        _show_table(lines)
        return
    name = max((len(line.name) for line in lines), default=0)
    for line in lines:
        text = beside(line.name.ljust(name + 2), line.options or line.summary)
        print(text, *([beside(" " * (name + 2), line.summary)] if line.options else []), sep="\n")


def _show_table(lines: list[ListedOption]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    for line in lines:
        described = Text(line.summary)
        if line.options:
            described = Text(line.options, style="cyan").append("\n").append(line.summary, style="default")
        table.add_row(Text(line.name), described)
    Console().print(table)


def _show_rest(group: Group, catalogue: Catalogue) -> None:
    """The options that every choice has, and a warning for each that cannot be used."""
    options = catalogue.options[group.name].values()
    if inherited := {field.name: field for option in options for field in option.fields if field.inherited}:
        print(f"\n{beside(f'Every {group.name} also has: ', _options(inherited.values()))}")
    for broken in catalogue.broken[group.name].values():
        print(f"warning: {broken.name} cannot be used: {broken.reason} ({broken.file})", file=sys.stderr)
