"""Whether runs may be compared: one world and seed means the same data, the same test set and the same code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence

from fedmed.comparison.find import FinishedRun
from fedmed.errors import Fault, UserError

SHARED = {"data": "the same training data", "test": "the same test set", "fedmed": "the same version of fedmed"}
"""Marks that runs of one world and seed share, and what they stand for."""

FIX = "Compare them apart; with --force they are compared all the same, and the report says so."


def check(found: Sequence[FinishedRun], worlds: Sequence[str], *, force: bool) -> list[str]:
    """Notes on what could not be checked, or, with force, on what differs; else raises UserError naming those runs."""
    faults = [*_faults(found, worlds)]
    if faults and not force:
        raise UserError(*faults)
    notes = [f"Compared by force: {fault.where}: expected {fault.expected}, got {fault.got}." for fault in faults]
    if unknown := sum(each.marks is None for each in found):
        runs = "The runs do" if unknown == len(found) else f"{unknown} of {len(found)} runs do"
        notes.append(f"{runs} not tell on which data and code they rest; whether they are the same was not checked.")
    return notes


def _faults(found: Sequence[FinishedRun], worlds: Sequence[str]) -> Iterator[Fault]:
    places = [(world, each.run.seed) for each, world in zip(found, worlds, strict=True)]
    methods = ["+".join(each.run.config["strategy"]) for each in found]
    for mark, meaning in SHARED.items():
        yield from _odd(found, places, mark, f"{meaning} in one world with one seed")
    yield from _odd(found, methods, "strategy", "one version of a method's code")


def _odd(found: Sequence[FinishedRun], groups: Sequence[Hashable], mark: str, meaning: str) -> Iterator[Fault]:
    """One fault that names the runs whose mark differs from what most of their group have; nothing where none does."""
    usual: dict[Hashable, Counter[str]] = defaultdict(Counter)
    known = [
        (each, group, each.marks[mark])
        for each, group in zip(found, groups, strict=True)
        if each.marks is not None and each.marks.get(mark) is not None
    ]
    for _, group, value in known:
        usual[group][value] += 1
    odd = [(each, group) for each, group, value in known if value != usual[group].most_common(1)[0][0]]
    if odd:
        like = next(each for each, group, value in known if group == odd[0][1] and (each, group) not in odd)
        where = ", ".join(str(each.run.path) for each, _ in odd)
        yield Fault(where, meaning, f"another than {like.run.path} has", FIX)
