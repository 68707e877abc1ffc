"""The federation's picture as a file of its run, so that a report can draw it without the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.files import write_atomically
from fedmed.results import forms
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
    picture: FederationPicture = forms.checked(lambda: _picture(**found), str(path), "the picture of a federation")
    return picture


_NAMES = tuple(FederationPicture.__dataclass_fields__)


def _picture(*, counts: Any, images: Any, annotated: Any, completeness: Any, **rest: Any) -> FederationPicture:
    found = FederationPicture(
        counts=np.array(counts, np.int64),
        images=np.array(images, np.int64),
        annotated=_shares(annotated),
        completeness=_shares(completeness),
        **rest,
    )
    clients, classes = found.counts.shape
    for name, shape in {"images": (clients, 3), "annotated": found.counts.shape, "completeness": (clients,)}.items():
        held = getattr(found, name)
        if held is not None and held.shape != shape:
            raise ValueError(f"{name} of shape {held.shape}, not {shape}")
    for name, number in {"class_names": classes, "client_names": clients, "site_names": clients}.items():
        _check_names(name, getattr(found, name), number)
    forms.check_fields(rest, {"title": str, "server_test": int}, "picture")
    return found


def _check_names(name: str, names: object, number: int) -> None:
    if names is None and name == "site_names":
        return
    if not isinstance(names, list) or len(names) != number or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{name} are not {number} names")


def _shares(values: Any) -> NDArray[np.float64] | None:
    """Null inside is NaN: a share of nothing."""
    return None if values is None else np.array(values, np.float64)
