"""A config: an experiment as text spells it, in plain values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fedmed.options.groups import GROUPS
from fedmed.options.source import named

TARGET = "_target_"
"""The entry of an option's node that says which class it is made of."""

_NONE: Any = object()


class Node(NamedTuple):
    """A chosen option.

    where: its key (`dataset`, `strategy.fedprox`). target: its class, as text. values: of its fields.
    """

    where: str
    group: str
    target: str
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The option's name, as one chooses it."""
        return self.where.partition(".")[2] or named(self.target, GROUPS[self.group].base)


@dataclass(frozen=True, slots=True)
class Config:
    """An experiment as the command line and the file of a run directory spell it: nested plain values, which pickle.

    What `fedmed.config.compose` makes has been checked; what comes from a file is as its file says.
    """

    values: Mapping[str, Any]

    def __getitem__(self, key: str) -> Any:
        """The value at a key such as `rounds` or `strategy.fedprox.mu`; raises KeyError where there is none."""
        if (found := self.get(key, _NONE)) is _NONE:
            raise KeyError(key)
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """The value at a key, or the default where there is none."""
        found: Any = self.values
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return default
            found = found[part]
        return found

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods of its strategy, in order."""
        return tuple(map(str, self.values["strategy"]))

    def nodes(self, groups: Collection[str] = tuple(GROUPS)) -> Iterator[Node]:
        """The chosen options of groups, those that are none left out: a file may hold anything."""
        for group in groups:
            held = self.values.get(group)
            members = held if group == "strategy" and isinstance(held, Mapping) else {"": held}
            for name, node in members.items():
                if isinstance(node, Mapping):
                    fields = {key: value for key, value in node.items() if key != TARGET}
                    yield Node(f"{group}.{name}".rstrip("."), group, str(node.get(TARGET)), fields)

    def settings(self) -> Mapping[str, Any]:
        """All values, nested, without the classes that options are made of."""
        return _without_targets(self.values)

    def text(self, key: str) -> str:
        """A value as one writes it: `fedprox+fedbn` for strategy, `dirichlet` for partition, `0.05` for optimizer.lr.

        `no such option` for what it does not have.
        """
        if key == "strategy":
            return "+".join(self.methods)
        if key in GROUPS:
            return next((node.name for node in self.nodes([key])), "no such option")
        value = self.get(key, "no such option")
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "null"}[value]
        return str(value)

    def changed(self, **values: Any) -> Config:
        """The config with other values at its top."""
        return Config({**self.values, **values})


def _without_targets(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in values.items() if name != TARGET}
    return {name: _without_targets(value) if isinstance(value, Mapping) else value for name, value in found.items()}
