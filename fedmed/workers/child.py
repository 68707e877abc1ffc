"""The worker's side: what its process does first, and how it gets its tasks and answers them."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any


def become_a_worker() -> None:
    """Sets up how this process ends: when its parent says so, or with its parent.

    What a terminal sends to every process of a group (Ctrl-C, that it closes) is left to the parent, which ends its
    workers in order. SIGTERM ends a worker at once, whatever handler it was forked with.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A parent that is killed says nothing, and the connection to it may stay open: workers that were forked after this
    # one hold copies of its other end. The parent's sentinel is closed by the system however the parent ends.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def received(connection: Connection) -> Iterator[Any]:
    """What the parent sends, one message after another, until it sends None or has gone."""
    while True:
        try:
            message = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        if message is None:
            return
        yield message


def send(connection: Connection, message: Any) -> None:
    """Sends a message to the parent; ends this process where nobody is there to receive it."""
    send_pickled(connection, pickle.dumps(message))


def send_pickled(connection: Connection, message: bytes) -> None:
    """`send` of a message that is pickled already."""
    try:
        connection.send_bytes(message)
    except OSError:
        os._exit(1)
