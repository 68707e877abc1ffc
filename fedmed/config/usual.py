"""The model of a run that chooses none: the usual one for the task of its dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from fedmed.config.discovery import Catalogue
from fedmed.config.grammar import key_of, value_of

MODELS: Mapping[str, str] = {"segmentation": "unet"}
MODEL = "small_cnn"
"""The usual model for each task, and for all others."""


def usual_model(dataset: str, catalogue: Catalogue, overrides: Sequence[str] = ()) -> str:
    """The model for a dataset, by the task that its class declares, or else by the dataset's options and its file."""
    option = catalogue.options["dataset"].get(dataset)
    task = option.task if option else ""
    return MODELS.get(task or _task_of({key_of(each): value_of(each).strip("'\"") for each in overrides}), MODEL)


def _task_of(given: Mapping[str, str]) -> str:
    """The task that options of a dataset choose, or that the names of its arrays do; empty where none is clear."""
    task, target = given.get("dataset.task", "auto"), given.get("dataset.target", "auto")
    if task != "auto":
        return task
    masks = target == "masks" or (target == "auto" and _has_masks(Path(given.get("dataset.path", ""))))
    return "segmentation" if masks else ""


def _has_masks(path: Path) -> bool:
    """Whether a file has arrays of masks and none of labels; only its list of contents is read."""
    try:
        with ZipFile(path.expanduser()) as archive:
            columns = {name.removesuffix(".npy").rpartition("_")[2] for name in archive.namelist()}
    except (OSError, RuntimeError, ValueError, BadZipFile):  # is told of when it is read
        return False
    return "masks" in columns and "labels" not in columns
