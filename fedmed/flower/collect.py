"""Collecting a round's replies: those that are sound are used, and each client at fault leaves a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from flwr.app import Message
from flwr.serverapp import Grid

from fedmed.checks import MismatchError
from fedmed.errors import DamageError, Fault, UserError
from fedmed.flower.faults import (
    GO_ON,
    ClientError,
    ClientFailure,
    FaultRow,
    FaultTolerance,
    NoAnswerError,
    error_text,
    faults_of,
    reason,
)
from fedmed.flower.grid import LocalGrid

T = TypeVar("T")


class ReplyCollector:
    """What comes of a round's messages of one kind.

    stage: train or evaluate. clients: by node. grid: takes back what a client at fault was to remember; None for none.
    """

    def __init__(
        self,
        tolerance: FaultTolerance,
        on_fault: Callable[[FaultRow], None],
        *,
        stage: str,
        round: int,
        strategy: str,
        clients: Mapping[int, int],
        grid: Grid | None,
    ) -> None:
        self._tolerance, self._on_fault, self._grid, self._clients = tolerance, on_fault, grid, clients
        self._stage, self._round, self._strategy = stage, round, strategy
        self.faulty: list[int] = []

    def accepted(self, answers: Iterable[Message | ClientFailure], read: Callable[[Message, int], T]) -> Iterator[T]:
        """What `read` makes of each answer and its client, in order; raises where the run is to end.

        On a grid that is not of this machine all answers are there at once, so all that are amiss are named.
        """
        faults: list[Fault] = []
        left = 0
        for answer in answers:
            client, got = self._read(answer, read)
            if not isinstance(got, Exception):
                left += 1
                yield got
                continue
            self._note(client, got)
            if isinstance(got, DamageError):
                raise got
            if not self._tolerance.skips:
                where = f"client {client}, round {self._round}, {self._stage}, strategy {self._strategy}"
                faults += faults_of(where, got)
                if isinstance(self._grid, LocalGrid):
                    raise _raised(got, where, faults)
        if faults:
            raise ClientError(*faults)
        if self.faulty and (end := self._tolerance.too_few(left, round=self._round, stage=self._stage)):
            raise end

    def _read(self, answer: Message | ClientFailure, read: Callable[[Message, int], T]) -> tuple[int, T | Exception]:
        """The client, and what is made of its answer, or what is wrong with it."""
        if isinstance(answer, ClientFailure):
            return self._clients[answer.request.metadata.dst_node_id], answer.error
        client = self._clients[answer.metadata.src_node_id]
        if answer.has_error():
            return client, NoAnswerError(reason(answer.error.reason))
        try:
            return client, read(answer, client)
        except MismatchError as error:
            return client, error

    def _note(self, client: int, error: Exception) -> None:
        self.faulty.append(client)
        if isinstance(self._grid, LocalGrid):
            self._grid.undo(client)
        self._on_fault({"round": self._round, "client": client, "stage": self._stage, "what": error_text(error)})


def _raised(error: Exception, where: str, faults: list[Fault]) -> Exception:
    """What ends the run: the error itself where its traceback leads to somebody's code."""
    if isinstance(error, UserError | MismatchError | NoAnswerError):
        return ClientError(*faults)
    error.add_note(f"fedmed: {where}. {GO_ON}")
    return error
