"""A few images of a run, kept for its report: what was shown, what is true, what was annotated, what was predicted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.errors import refuse
from fedmed.files import replacing

NAME = "examples.npz"
PANELS = ("test", "mistakes", "training")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePanel:
    """n images, or slices of n volumes across their first axis.

    index: (n,) rows among the server's test images, or among a client's training images. x: (n, C, H, W) uint8.
    slices: (n,) which slice of each volume it is, from 0; None for images.
    truth, given, corrected: labels as in `fedmed.data.examples.Examples`; given_seen, corrected_seen: which entries are
    annotated, None where all are. predicted: probabilities (n, C); of segmentation classes (n, H, W) uint8.
    client: (n,) whose images they are.
    """

    index: NDArray[np.int64]
    x: NDArray[np.uint8]
    truth: NDArray[Any]
    given: NDArray[Any] | None = None
    given_seen: NDArray[np.bool_] | None = None
    corrected: NDArray[Any] | None = None
    corrected_seen: NDArray[np.bool_] | None = None
    predicted: NDArray[Any] | None = None
    client: NDArray[np.int64] | None = None
    slices: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptImages:
    """What `examples.npz` holds.

    kind, names: of the task; names may be empty. client: whose model predicts, None for the global one.
    test: the same of the server's test images in every run of a world. mistakes: those on which the run was most sure
    and wrong; of segmentation none. training: of those clients whose annotation differs most from the truth.
    """

    kind: str
    names: tuple[str, ...]
    client: int | None = None
    test: ImagePanel | None = None
    mistakes: ImagePanel | None = None
    training: ImagePanel | None = None


def save(shown: KeptImages, folder: Path) -> None:
    """Writes examples.npz into the folder."""
    content: dict[str, Any] = {"kind": shown.kind, "names": np.array(shown.names, dtype=str)}
    if shown.client is not None:
        content["client"] = shown.client
    for name, panel in (("test", shown.test), ("mistakes", shown.mistakes), ("training", shown.training)):
        content |= {} if panel is None else _arrays(name, panel)
    with replacing(folder / NAME) as file:
        np.savez_compressed(file, **content)


def load(folder: Path) -> KeptImages | None:
    """What the folder's examples.npz holds; None where there is none; raises UserError where it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = dict(archive)
        panels = {name: _panel(name, content) for name in PANELS if f"{name}.index" in content}
        client = int(content["client"]) if "client" in content else None
        names = tuple(map(str, content["names"]))
        return KeptImages(kind=str(content["kind"]), names=names, client=client, **panels)
    except Exception as error:  # zip, zlib and numpy each raise what they like on damaged bytes
        raise refuse(str(path), "images of a run", f"damaged content ({error})", "Remove it.") from error


def _arrays(name: str, panel: ImagePanel) -> dict[str, Any]:
    found = ((field.name, getattr(panel, field.name)) for field in fields(panel))
    return {f"{name}.{part}": values for part, values in found if values is not None}


def _panel(name: str, content: dict[str, Any]) -> ImagePanel:
    found = {key.partition(".")[2]: values for key, values in content.items() if key.startswith(f"{name}.")}
    if len({len(values) for values in found.values()}) > 1:
        raise ValueError(f"{name}: arrays of several lengths")
    return ImagePanel(**found)
