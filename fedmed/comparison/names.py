"""Names of arms and worlds: what differs between runs, and no more of it than tells them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from fedmed.comparison.runs import LOCAL, POOLED
from fedmed.comparison.settings import Settings
from fedmed.formatting import first_few
from fedmed.options.groups import GROUPS

WORLD = (
    "dataset", "partition", "annotation", "shift", "clients", "client_test", "clients_per_round", "model",
    "sampling", "failures", "system",
)  # fmt: skip
"""Settings of the world that arms share, with what lies below them; in this order in a world's name."""


def world_names(found: Sequence[Settings]) -> list[str]:
    """A name per run for the world that it is in; the dataset's where all runs are in one."""
    worlds = [_part(each, of_world=True) for each in found]
    keys = _distinguishing(worlds, sorted(_varying(worlds), key=_place))
    return [_world_name(each, keys) for each in worlds]


def arm_names(found: Sequence[Settings], worlds: Sequence[str], bases: Sequence[str]) -> list[str]:
    """A name per run for its arm: its base name, and what differs between arms of that base in some world.

    A value that most of the arms of a base have in a world, as the centre of an ablation has, is left out there.
    """
    names = list(bases)
    for base, members, keys in _bases(found, worlds, bases):
        everywhere = _usual([found[n] for n in members], keys)
        for here in _by_world(members, worlds).values():
            usual = _usual([found[n] for n in here], keys) if _parts([found[n] for n in here], keys) > 1 else everywhere
            for n in here:
                differing = [key for key in keys if key in found[n] and found[n][key] != usual.get(key)]
                names[n] = " ".join([base, *(_written(found[n], key) for key in differing)])
    return names


def unnamed_values(found: Sequence[Settings], worlds: Sequence[str], bases: Sequence[str]) -> list[str]:
    """A note on the values that the names of a base's arms leave out, and in which worlds they do."""
    found_in: dict[tuple[str, str], list[str]] = defaultdict(list)
    for base, members, keys in _bases(found, worlds, bases):
        for world, here in _by_world(members, worlds).items():
            if usual := _usual([found[n] for n in here], keys):
                values = ", ".join(_written({**found[here[0]], key: value}, key) for key, value in usual.items())
                found_in[base, values].append(world)
    return [
        f"{base} in {first_few(names)} has {values} where its name does not say otherwise."
        for (base, values), names in found_in.items()
    ]


def beyond(found: Sequence[Settings], worlds: Sequence[str], bases: Sequence[str], arms: Sequence[str]) -> list[str]:
    """A note on each setting, other than the methods' own, by which arms of one world differ and that no name shows."""
    found_values: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for world in dict.fromkeys(worlds):
        members = [n for n, base in enumerate(bases) if worlds[n] == world and base not in (POOLED, LOCAL)]
        rest = [{k: v for k, v in found[n].items() if k.partition(".")[0] not in (*WORLD, "strategy")} for n in members]
        for key in _varying(rest):
            for n, each in zip(members, rest, strict=True):
                if key in each and f"{key}=" not in arms[n]:
                    found_values[key][each[key]].append(arms[n])
    return [f"Arms differ in {key}, which is {_values_text(values)}." for key, values in sorted(found_values.items())]


def _bases(
    found: Sequence[Settings], worlds: Sequence[str], bases: Sequence[str]
) -> Iterator[tuple[str, list[int], list[str]]]:
    """Each base, the numbers of its runs, and the settings that tell its arms apart, the method's own first."""
    for base in dict.fromkeys(bases):
        members = [n for n, each in enumerate(bases) if each == base]
        arms = {n: _part(found[n], of_world=False) for n in members}
        varying: set[str] = set()
        for here in _by_world(members, worlds).values():
            varying |= _varying([arms[n] for n in here])
        own = sorted(varying, key=lambda key: (not key.startswith("strategy"), key))
        yield base, members, _distinguishing(list(arms.values()), own)


def _by_world(members: Iterable[int], worlds: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for n in members:
        found[worlds[n]].append(n)
    return found


def _usual(found: Sequence[Settings], keys: Sequence[str]) -> Settings:
    """Values that more than half of the arms have; nothing of a single arm."""
    arms = {tuple(each.get(key) for key in keys) for each in found}
    if len(arms) < 2:
        return {}
    counts = {key: Counter(values).most_common(1)[0] for key, values in zip(keys, zip(*arms, strict=True), strict=True)}
    return {key: value for key, (value, count) in counts.items() if value is not None and 2 * count > len(arms)}


def _part(found: Settings, *, of_world: bool) -> Settings:
    return {key: value for key, value in found.items() if (key.partition(".")[0] in WORLD) == of_world}


def _varying(found: Sequence[Settings]) -> set[str]:
    """Settings with two values or more among those that have them; fields of an option, among those of that option."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in found:
        for key, value in each.items():
            group, dot, _ = key.partition(".")
            values[key, each.get(group, "") if dot and group in GROUPS else ""].add(value)
    return {key for (key, _), known in values.items() if len(known) > 1}


def _distinguishing(found: Sequence[Settings], keys: Iterable[str]) -> list[str]:
    """Those of the keys that are needed to tell apart what all of them tell apart, first come first kept."""
    kept: list[str] = []
    parts = 1
    for key in keys:
        if (more := _parts(found, [*kept, key])) > parts:
            kept, parts = [*kept, key], more
    return kept


def _parts(found: Sequence[Settings], keys: Sequence[str]) -> int:
    return len({tuple(each.get(key) for key in keys) for each in found})


def _place(key: str) -> tuple[bool, int, str]:
    """Options before their fields, in the order of `WORLD`; what a dataset is of before both."""
    group = key.partition(".")[0]
    field = "." in key and key not in ("dataset.name", "dataset.path")
    return field, WORLD.index(group), key


def _world_name(world: Settings, keys: Sequence[str]) -> str:
    words = dict.fromkeys(_world_word(world, key, keys) for key in keys if key in world)
    return " ".join(words) or _dataset(world)


def _world_word(world: Settings, key: str, keys: Sequence[str]) -> str:
    if key in ("dataset", "dataset.name", "dataset.path"):
        return _dataset(world)
    group, dot, field = key.partition(".")
    return f"{field}={world[key]}" if dot and group in keys else f"{key}={world[key]}"


def _dataset(world: Settings) -> str:
    """The set's name, its file's, or the option's."""
    return world.get("dataset.name") or PurePath(world.get("dataset.path", "")).stem or world.get("dataset", "")


def _written(arm: Settings, key: str) -> str:
    """`mu=0.1` of a single method, `fedprox.mu=0.1` of one among several, `optimizer.lr=0.1`."""
    name = key.removeprefix("strategy.")
    if name != key and "+" not in arm["strategy"]:
        name = name.partition(".")[2]
    return f"{name}={arm[key]}"


def _values_text(values: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{value} for {first_few(list(dict.fromkeys(arms)))}" for value, arms in sorted(values.items()))
