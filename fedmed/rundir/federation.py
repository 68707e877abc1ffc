"""Who holds what in a federation, as a file of its run, so that a report can draw it without the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.files import write_atomically
from fedmed.formatting import count
from fedmed.rundir import schema
from fedmed.rundir.json_text import dumps, parse

NAME = "federation.json"


@dataclass(frozen=True)
class FederationSummary:
    """Who holds what.

    counts: (clients, classes) training images per class; multi-label and segmentation: in which the class occurs.
    images: (clients, 3) images for training, validation, test.
    annotated: (clients, classes) share of the entries that are annotated, NaN where there are none; None: all are.
    completeness: (clients,) share of what there is to annotate that is annotated; None where all of it is.
    class_names, client_names, site_names: one per class, client, client. server_test: images of the server's test set.
    kinds: how each client differs from others by design, empty for one that does not; None where none does.
    model: the net in one line: its weights, which of them travel, and which do not; empty where it is not known.
    """

    title: str
    counts: NDArray[np.int64]
    images: NDArray[np.int64]
    annotated: NDArray[np.float64] | None
    completeness: NDArray[np.float64] | None
    class_names: Sequence[str]
    client_names: Sequence[str]
    site_names: Sequence[str] | None
    server_test: int
    model: str = ""
    kinds: Sequence[str] | None = None

    @property
    def subtitle(self) -> str:
        """The federation's size in one line."""
        train, classes = int(self.images[:, 0].sum()), len(self.class_names)
        parts = [count(len(self.client_names), "client"), count(train, "training image")]
        parts += [f"{classes} {'class' if classes == 1 else 'classes'}"]
        return " · ".join([*parts, f"server test set {count(self.server_test, 'image')}"])


def client_labels(federation: FederationSummary) -> list[str]:
    """Client names, with the site where it says more, and how a client differs by design."""
    names = federation.client_names
    rows = zip(names, federation.site_names or names, federation.kinds or [""] * len(names), strict=True)
    return [" · ".join([name, *(word for word in (site, kind) if word not in ("", name))]) for name, site, kind in rows]


def save_federation(federation: FederationSummary, folder: Path) -> None:
    """Writes federation.json into the folder."""
    write_atomically(folder / NAME, dumps({name: getattr(federation, name) for name in _NAMES}) + "\n")


def load_federation(folder: Path) -> FederationSummary | None:
    """What the folder's run kept; None where it kept none; raises UserError where it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    found = parse(path.read_bytes(), str(path))
    federation: FederationSummary = schema.checked(lambda: _summary(**found), str(path), "the picture of a federation")
    return federation


_NAMES = tuple(FederationSummary.__dataclass_fields__)


def _summary(*, counts: Any, images: Any, annotated: Any, completeness: Any, **rest: Any) -> FederationSummary:
    found = FederationSummary(
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
    numbers = {"class_names": classes, "client_names": clients, "site_names": clients, "kinds": clients}
    for name, number in numbers.items():
        _check_names(name, getattr(found, name), number)
    schema.check_fields({"model": "", **rest}, {"title": str, "server_test": int, "model": str}, "picture")
    return found


def _check_names(name: str, names: object, number: int) -> None:
    if names is None and name in ("site_names", "kinds"):
        return
    if not isinstance(names, list) or len(names) != number or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{name} are not {number} names")


def _shares(values: Any) -> NDArray[np.float64] | None:
    """Null inside is NaN: a share of nothing."""
    return None if values is None else np.array(values, np.float64)
