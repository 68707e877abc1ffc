"""TensorBoard's events, written into a run's directory as its rounds end.

One event holds all scalars of a round. The thread that trains hands it to the system at once: tensorboardX's writers
leave that to a second thread, which must not exist where worker processes may be forked, or wait for the disk. Each
session of a run has a file of its own, and begins with what TensorBoard reads as `forget the rounds from here on`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from struct import pack
from typing import Any

from fedmed.tracking.contract import End, Row, Subject, Tracker, grouped, numbers

VERSION = "brain.Event:2"
"""The format in which a session's beginning forgets later rounds."""


class Events(Tracker):
    """The events of one session of a run."""

    def __init__(self, subject: Subject) -> None:
        # no type checker sees these names: protobuf makes them when its modules are imported
        from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboardX.record_writer import masked_crc32c

        self.last = subject.done
        self._event, self._sum = Event, masked_crc32c
        self._file = (subject.folder / f"events.out.tfevents.{time.time():017.6f}").open("xb", buffering=0)
        self._write(file_version=VERSION)
        self._write(session_log=SessionLog(status=SessionLog.START), step=subject.done + 1)
        self._start(subject)

    def log(self, rows: Sequence[Row]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

        for row in rows:
            values = [
                Summary.Value(tag=grouped(name), simple_value=value) for name, value in sorted(numbers(row).items())
            ]
            self._write(summary=Summary(value=values), step=row["round"])

    def close(self, end: End) -> None:
        if end == "finished":
            self._write(summary=self._end)
        self._file.close()

    def _start(self, subject: Subject) -> None:
        """The run's settings, for TensorBoard's page of hyper-parameters."""
        from tensorboardX.summary import hparams

        shown = dict.fromkeys(("loss", f"val/{subject.metric}", f"test/{subject.metric}"), 0)
        *start, self._end = hparams(dict(subject.params), shown)
        for summary in start:
            self._write(summary=summary)

    def _write(self, **content: Any) -> None:
        text = self._event(wall_time=time.time(), **content).SerializeToString()
        size = pack("<Q", len(text))
        self._file.write(size + pack("<I", self._sum(size)) + text + pack("<I", self._sum(text)))
