"""Errors that a user can act on, all in one sentence form."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control signs, of which escape sequences are made, and those that turn the direction of writing round."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with what the user gave.

    where: the option, file or place, as the user would write it (`clients_per_round`, `dataset.path`).
    expected: what would be right there.
    got: what was found.
    fix: what to do about it, as a full sentence; may be empty.
    """

    where: str
    expected: str
    got: str
    fix: str = ""

    def __str__(self) -> str:
        return visible(f"{self.where}: expected {self.expected}, got {self.got}. {self.fix}".rstrip())


class UserError(Exception):
    """Faults in the configuration, the data or the command; the command line prints them and exits with 2."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    def __reduce__(self) -> tuple[type[UserError], tuple[Fault, ...]]:
        return type(self), self.faults


class DamageError(UserError):
    """What others rely on was changed and cannot be put back, so that the run cannot go on without the culprit."""


def refuse(where: str, expected: str, got: object, fix: str = "") -> UserError:
    """The UserError of a single fault, ready to raise."""
    return UserError(Fault(where, expected, str(got), fix))


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
OUT_OF_REACH = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE})


def refuse_file(error: OSError, then: str = "") -> UserError | None:
    """What the user can mend of a file that cannot be written or read; None where the error is about no file.

    then: what to do when it is mended.
    """
    if error.errno not in FULL | FORBIDDEN | OUT_OF_REACH:
        return None
    if error.errno in FULL:
        fix = "Make space; what was written before is whole."
    elif error.errno in FORBIDDEN:
        fix = "Choose another place, or have its owner give you the right to write and read there."
    else:
        fix = "Choose another place."
    where = str(error.filename or "output")
    return refuse(where, "a file that can be written and read", error.strerror or str(error), f"{fix} {then}".rstrip())


def visible(text: str) -> str:
    r"""Text in which signs that would steer a terminal are written out (`\x1b`); line ends and tabs stay."""
    return STEERING.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


def near(name: str, names: Iterable[str]) -> str:
    """A sentence that names the nearest of `names` to a mistyped `name`, or lists them all."""
    known = sorted(names)
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}."
