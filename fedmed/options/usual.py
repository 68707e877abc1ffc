"""The model of a run that chooses none: the usual one for the task of its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from fedmed.options.mask_words import has_masks

MODELS: Mapping[str, str] = {"segmentation": "unet"}
MODEL = "small_cnn"
"""The usual model for each task, and for all others."""


def usual_model(task: str, dataset: Mapping[str, object]) -> str:
    """The name of the model. task: that the dataset's class declares; empty where its options and its file tell.

    dataset: the values of its options.
    """
    return MODELS.get(task or _task_of(dataset), MODEL)


def _task_of(dataset: Mapping[str, object]) -> str:
    """The task that options of a dataset choose, or that the names of its arrays do; empty where none is clear."""
    task, target = str(dataset.get("task", "auto")), dataset.get("target", "auto")
    if task != "auto":
        return task
    if (mask := str(dataset.get("mask", "auto"))) != "auto":
        return "" if mask == "none" else "segmentation"
    if not (path := str(dataset.get("path", ""))) or target not in ("auto", "masks"):
        return ""
    masks = target == "masks" or _has_arrays_of_masks(Path(path).expanduser()) or has_masks(Path(path).expanduser())
    return "segmentation" if masks else ""


def _has_arrays_of_masks(path: Path) -> bool:
    """Whether a file has arrays of masks and none of labels; only its list of contents is read."""
    try:
        with ZipFile(path) as archive:
            columns = {name.removesuffix(".npy").rpartition("_")[2] for name in archive.namelist()}
    except (OSError, RuntimeError, ValueError, BadZipFile):  # reported when it is read
        return False
    return "masks" in columns and "labels" not in columns
