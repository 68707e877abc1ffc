"""What every worker process does first, whoever started it."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process


def be_a_child() -> None:
    """Leaves what reaches every process (Ctrl-C, a terminal that closes) to the one that started this, ends with it.

    Told to end, it does so at once.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
