"""Objects for another process, which has not imported what they are of: the classes of a script or a notebook."""

from __future__ import annotations

import pickle
from typing import Any


def pickled(value: Any) -> bytes:
    """A value as bytes that `pickle.loads` reads; classes of `__main__` travel as their code, all others by name."""
    import cloudpickle  # it takes a while, and most runs need none of it

    found: bytes = cloudpickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return found
