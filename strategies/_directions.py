"""Directions of vectors, of which one that is too short has none."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-8
"""Length below which a vector has no direction: its cosines are 0 and it has no gradient."""


def unit(rows: Tensor) -> Tensor:
    """Vectors (..., D) of length 1; one without a direction becomes zero."""
    found: Tensor = rows / lengths(rows)
    return found


def lengths(rows: Tensor) -> Tensor:
    """Lengths of vectors (..., D), (..., 1), to divide by; infinite where there is no direction."""
    found: Tensor = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return found.masked_fill(found <= TINY, torch.inf)
