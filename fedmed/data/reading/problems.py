"""What is wrong with single files of a set: gathered, so that they are refused together, or left out together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from fedmed.data.reading.notices import say
from fedmed.errors import Fault, UserError

MOST = 10
"""Problems of one kind that are named; the others are counted."""


class Problem(NamedTuple):
    """One file that cannot be used.

    case: the row that needs it. path: where it is, or should be. expected, got, fix: as of a `Fault`.
    """

    case: int
    path: str
    expected: str
    got: str
    fix: str = ""


def faults_of(problems: Iterable[Problem]) -> list[Fault]:
    """A fault for each of the first problems of a kind, and one that counts the rest of that kind."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.expected, problem.fix), []).append(problem)
    faults = []
    for (expected, fix), found in kinds.items():
        faults += [Fault(problem.path, expected, problem.got, fix) for problem in found[:MOST]]
        if len(found) > MOST:
            faults.append(Fault("dataset", expected, f"{len(found) - MOST} more such files ({len(found)} in all)", fix))
    return faults


def usable(cases: int, problems: Sequence[Problem], on_error: Literal["fail", "skip"]) -> list[int]:
    """The cases without problems, ascending; raises UserError with all problems where none may be skipped."""
    bad = {problem.case for problem in problems}
    if problems and (on_error == "fail" or len(bad) == cases):
        raise UserError(*faults_of(problems))
    if bad:
        say(f"{len(bad)} of {cases} images left out, as dataset.on_error=skip; the first: {faults_of(problems)[0]}")
    return [case for case in range(cases) if case not in bad]
