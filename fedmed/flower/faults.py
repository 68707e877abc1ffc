"""A client at fault: what a run makes of it, and the row that it leaves."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from flwr.app import Message

from fedmed.checks import MismatchError
from fedmed.errors import Fault, UserError

RAISED = "ClientAppException occurred. Message: "
"""What Flower's simulation writes between a traceback and what the client's app raised."""

NUMBERS = re.compile(r"(, )?client \d+(, round \d+)?(: )?")
"""Client and round in the words of an error: its row has both as numbers already."""

FaultRow = dict[str, Any]
"""`round`, `client`, `stage` (train or evaluate), and `what` was wrong, in words."""

GO_ON = "on_client_error=skip goes on without such a client; fedmed run resume=DIR goes on from the last checkpoint."


class ClientError(UserError):
    """Clients were at fault; the message names each with its round and stage, and what was wrong."""


class NoAnswerError(Exception):
    """Why there is no answer, in words: what a client elsewhere raised, or that it took too long."""

    def __str__(self) -> str:
        return str(self.args[0])


class ClientFailure(NamedTuple):
    """What comes of a message in place of an answer. error: what the client raised, or what ended it."""

    request: Message
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTolerance:
    """What becomes of a round in which a client is at fault.

    on_client_error: stop ends the run there; skip leaves the client out of that round, and its memory as it was.
    min_clients: how many have to be left for the round to count (>= 1).
    client_timeout: seconds that a client may take to answer (None: any).
    """

    on_client_error: Literal["stop", "skip"] = "stop"
    min_clients: int = 1
    client_timeout: float | None = None

    @property
    def skips(self) -> bool:
        return self.on_client_error == "skip"

    def too_few(self, left: int, *, round: int, stage: str) -> ClientError | None:
        """The end of a run in which too few clients are left in a round."""
        if left >= self.min_clients:
            return None
        where, fix = f"round {round}, {stage}", "fedmed run resume=DIR goes on from the last checkpoint."
        expected = f"answers of at least min_clients={self.min_clients} clients"
        return ClientError(Fault(where, expected, f"{left}, as others were at fault (faults.jsonl)", fix))


STRICT = FaultTolerance()
"""The tolerance of a run that ends at the first client at fault."""


def error_text(error: Exception) -> str:
    """What a client raised, in words that say the same wherever it ran."""
    if isinstance(error, UserError):
        return "\n".join(str(replace(fault, where=where)).removeprefix(": ") for fault, where in _places(error))
    return str(error) if isinstance(error, MismatchError | NoAnswerError) else f"{type(error).__name__}: {error}"


def reason(text: str | None) -> str:
    """Why a client elsewhere gave no answer; of the traceback that Flower's simulation makes of it, the message."""
    words = (text or "nothing").rpartition(RAISED)[2]
    return words.removesuffix("'>") if words != text else words


def faults_of(where: str, error: Exception) -> tuple[Fault, ...]:
    """What ends a run of which a client was at fault. where: client, round, stage and strategy."""
    if isinstance(error, MismatchError):
        return (Fault(where, error.expected, error.got, GO_ON),)
    if isinstance(error, UserError):
        return tuple(
            replace(fault, where=f"{where}, {place}" if place else where, fix=f"{fault.fix} {GO_ON}")
            for fault, place in _places(error)
        )
    return (Fault(where, "an answer", error_text(error), GO_ON),)


def _places(error: UserError) -> list[tuple[Fault, str]]:
    """Each fault with its place, without the numbers of client and round."""
    return [(fault, NUMBERS.sub("", fault.where).strip(", ")) for fault in error.faults]
