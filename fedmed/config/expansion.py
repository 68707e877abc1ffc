"""Which jobs a sweep makes: all of them for Hydra's own sweeper, and the borders of what any other may choose from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from fedmed.config.grammar import key_of
from fedmed.errors import Fault

GRID = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""Hydra's own sweeper, which makes every combination."""

DIRECTIONS: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("direction",): ("maximize", "minimize"),
    ("optim", "maximize"): ("true", "false"),
    ("ax_config", "experiment", "minimize"): ("false", "true"),
}
"""Where the sweepers of Optuna, Nevergrad and Ax say which way is better, and how: higher, lower."""


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Hydra's sweeper as it is configured, by `hydra/sweeper=` and `hydra.sweeper.`"""

    settings: Mapping[str, Any] = field(default_factory=lambda: {"_target_": GRID})

    @property
    def grid(self) -> bool:
        """Whether it makes every combination; any other searches by what its jobs return."""
        return self.settings.get("_target_") == GRID

    @property
    def params(self) -> list[str]:
        """What it sweeps besides the command line, as overrides."""
        found = self.settings.get("params")
        params = found.items() if isinstance(found, Mapping) else ()
        return [f"{key}={value}" for key, value in params if isinstance(value, str | int | float)]

    def direction_override(self, *, higher: bool) -> str | None:
        """The override that has it search for higher or for lower values; None where it is not known how."""
        for path, (up, down) in DIRECTIONS.items():
            if _has(self.settings, path):
                return f"hydra.sweeper.{'.'.join(path)}={up if higher else down}"
        return None


def with_params(overrides: Sequence[str], sweeper: Sweeper) -> list[str]:
    """What the command line sweeps and sets, and what the sweeper's own configuration does beside it."""
    given = {key_of(each) for each in overrides}
    params = [each for each in sweeper.params if key_of(each) not in given]
    return [*params, *overrides, *(["hydra.sweeper.params=null"] if sweeper.params else [])]


def alternatives(overrides: Sequence[str], sweeper: Sweeper) -> list[list[str]]:
    """The overrides of every job; where the sweeper searches, of jobs that between them have every border of its space.

    Those of a search are as many as its borders and not their product, which may be astronomic.
    """
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    if sweeper.grid:
        return [list(job) for job in itertools.product(*([*_values(each)] for each in parsed))]
    values = [[*_borders(each)] for each in parsed]
    first = [each[0] for each in values]
    others = [[*first[:at], other, *first[at + 1 :]] for at, each in enumerate(values) for other in each[1:]]
    return [first, *others]


def unsweepable(overrides: Sequence[str]) -> list[Fault]:
    """A fault for every override that no grid can hold, as it has no single values."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    fix = "Write values, as in choice(0.01,0.1), or choose a sweeper that searches, such as hydra/sweeper=optuna."
    return [
        Fault(str(each.key_or_group), "values that a grid can have", str(each.get_value_string()), fix)
        for each in parsed
        if each.is_sweep_override() and not each.is_discrete_sweep()
    ]


def _values(override: Override) -> Iterator[str]:
    if override.is_discrete_sweep():
        yield from (f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator())
    else:
        yield str(override.input_line)


def _borders(override: Override) -> Iterator[str]:
    value, key = override.value(), override.get_key_element()
    if isinstance(value, IntervalSweep):
        yield from (f"{key}={value.start}", f"{key}={value.end}")
    elif isinstance(value, RangeSweep):
        every = list(_values(override))
        yield from dict.fromkeys((every[0], every[-1]))
    else:
        yield from _values(override)


def _has(settings: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(settings, Mapping) or name not in settings:
            return False
        settings = settings[name]
    return True
