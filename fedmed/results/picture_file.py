"""The federation's picture as a file of its run, so that a report can draw it without the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.results.json_text import dumps, parse
from fedmed.results.picture import FederationPicture

NAME = "federation.json"


def save_picture(picture: FederationPicture, folder: Path) -> None:
    """Writes federation.json into the folder."""
    write_atomically(folder / NAME, dumps({name: getattr(picture, name) for name in _NAMES}) + "\n")


def load_picture(folder: Path) -> FederationPicture | None:
    """The picture that the folder's run kept; None where it kept none; raises UserError where it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    found = parse(path.read_bytes(), str(path))
    try:
        return _picture(**found)
    except (TypeError, ValueError) as error:
        raise refuse(str(path), "the picture of a federation", f"damaged content ({error})", "Remove it.") from error


_NAMES = tuple(FederationPicture.__dataclass_fields__)


def _picture(*, counts: Any, images: Any, annotated: Any, completeness: Any, **rest: Any) -> FederationPicture:
    return FederationPicture(
        counts=np.array(counts, np.int64),
        images=np.array(images, np.int64),
        annotated=_shares(annotated),
        completeness=_shares(completeness),
        **rest,
    )


def _shares(values: Any) -> NDArray[np.float64] | None:
    """Null inside is NaN: a share of nothing."""
    return None if values is None else np.array(values, np.float64)
