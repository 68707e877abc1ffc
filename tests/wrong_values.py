"""Values that a field does not take, made from its type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fedmed.options.fields import fits

TRIED: tuple[Any, ...] = (-1, 0, 2, 1.5, -0.5, float("nan"), "x", True, None, ("x",), (1,), object(), {"a": 1})


def wrong_values(kind: Any) -> Iterator[Any]:
    """Those of TRIED that do not fit the type."""
    return (value for value in TRIED if not fits(value, kind))
