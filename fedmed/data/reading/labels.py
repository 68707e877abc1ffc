"""Labels from texts: classes, one-hot columns, findings that may be unknown, and lists of findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from fedmed.data.reading.notices import say
from fedmed.errors import Fault, UserError, near, refuse

MOST = 10
"""Unknown labels that are named; the others are counted."""

BITS = {"0": 0.0, "1": 1.0, "-1": -1.0, "false": 0.0, "true": 1.0, "": np.nan}
NOTHING = ("no finding", "none")
"""Texts that say that an image shows none of the findings."""


@dataclass(frozen=True, kw_only=True)
class LabelReading:
    """How texts become labels.

    task: auto, multiclass or multilabel. names: of the classes, in order; empty: those that occur.
    separator: between findings in one text; empty: `|` where there is one. uncertain, blank: what -1 and an empty
    text mean: not annotated (unseen), 0 or 1.
    """

    task: str = "auto"
    names: tuple[str, ...] = ()
    separator: str = ""
    uncertain: Literal["unseen", "0", "1"] = "unseen"
    blank: Literal["unseen", "0"] = "unseen"


class Labels(NamedTuple):
    """y and seen as of `Examples`, with their task, and the names of their classes (empty: numbers)."""

    y: Tensor
    seen: Tensor | None
    task: Literal["multiclass", "multilabel"]
    classes: int
    names: tuple[str, ...]


def read_labels(columns: Mapping[str, Sequence[str]], reading: LabelReading, where: Path) -> Labels:
    """The labels of columns of text (by name, one text per image); raises UserError where they mean nothing.

    where: the table or the folder, for errors.
    """
    if not columns:
        fix = "Write {class} in dataset.pattern, name columns in dataset.label, or say where masks are: dataset.mask."
        raise refuse(str(where), "a class, findings or a mask of every image", "none", fix)
    texts = next(iter(columns.values()))
    if len(columns) > 1:
        return _of_columns(columns, reading, where)
    if separator := reading.separator or _separator(texts):
        return _of_lists([_findings(text, separator) for text in texts], reading, where)
    if reading.task == "multilabel":
        return _of_columns(columns, reading, where)
    return _classes(texts, reading, where)


def _separator(texts: Sequence[str]) -> str:
    """What parts the findings in one text: `[` for lists of Python; empty where each text is one class."""
    if any(text.startswith("[") for text in texts):
        return "["
    return "|" if any("|" in text for text in texts) else ""


def _findings(text: str, separator: str) -> list[str] | None:
    """The findings in a text; None for an empty one."""
    if not text:
        return None
    if separator == "[":
        parts = re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
        found = [(one or other).strip() for one, other in parts] or text.strip("[] ").split(",")
    else:
        found = [part.strip() for part in text.split(separator)]
    return [part for part in found if part and part.lower() not in NOTHING]


def _of_lists(lists: Sequence[list[str] | None], reading: LabelReading, where: Path) -> Labels:
    """Multi-label: which findings the list of each image names."""
    occurring = sorted({name for found in lists for name in found or ()})
    names = reading.names or tuple(occurring)
    _refuse_unknown(occurring, names, where)
    if not reading.names:
        say(f"{len(names)} findings: {', '.join(names)}")
    number = {name: n for n, name in enumerate(names)}
    y = torch.zeros(len(lists), len(names))
    for row, found in enumerate(lists):
        y[row, [number[name] for name in found or ()]] = 1
    blank = torch.tensor([found is None for found in lists])
    unseen = blank & (reading.blank == "unseen")
    seen = (~unseen)[:, None].expand(y.shape).clone() if unseen.any() else None
    return _checked(Labels(y, seen, "multilabel", len(names), names), where)


def _of_columns(columns: Mapping[str, Sequence[str]], reading: LabelReading, where: Path) -> Labels:
    """One-hot columns as classes, others as findings."""
    values = np.stack([_bits(name, texts, where) for name, texts in columns.items()], 1)  # (N, L)
    names = _renamed(tuple(columns), reading.names)
    one_hot = len(columns) > 1 and bool(((values == 0) | (values == 1)).all() and ((values == 1).sum(1) == 1).all())
    if reading.task == "multiclass" and not one_hot:
        row = int(np.flatnonzero((values == 1).sum(1) != 1)[0])
        got = f"{int((values[row] == 1).sum())} in row {row + 2}"
        raise refuse(f"{where}: {', '.join(names)}", "exactly one 1 in every row", got, "Set dataset.task=multilabel.")
    if one_hot and reading.task != "multilabel":
        if reading.task == "auto":
            say("exactly one 1 in every row: one class per image (dataset.task=multilabel for findings)")
        return Labels(torch.from_numpy(values.argmax(1)), None, "multiclass", len(names), names)
    unseen = np.zeros(values.shape, np.bool_)
    for mask, meaning in ((values == -1, reading.uncertain), (np.isnan(values), reading.blank)):
        unseen |= mask & (meaning == "unseen")
        values = np.where(mask, 1.0 if meaning == "1" else 0.0, values)
    y, seen = torch.from_numpy(values).float(), torch.from_numpy(~unseen) if unseen.any() else None
    return _checked(Labels(y, seen, "multilabel", len(names), names), where)


def _bits(name: str, texts: Sequence[str], where: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The values of a column (N,): 0, 1, -1, and NaN for blanks."""
    short = [text.lower().removesuffix(".0").strip() for text in texts]
    if odd := [(n, text) for n, text in enumerate(short) if text not in BITS]:
        row, text = odd[0]
        fix = "A column of text is one of classes: name it alone in dataset.label."
        raise refuse(f"{where}: {name}", "0, 1, -1 or nothing", f"{text} in row {row + 2}", fix)
    return np.array([BITS[text] for text in short])


def _classes(texts: Sequence[str], reading: LabelReading, where: Path) -> Labels:
    """Multi-class: the class that each text names or numbers."""
    if blank := [row for row, text in enumerate(texts) if not text]:
        got = f"none for {len(blank)} images, first in row {blank[0] + 2}"
        raise refuse(f"{where}: labels", "a class for every image", got, "Name it, or leave those images out.")
    short = [text.removesuffix(".0") if re.fullmatch(r"\d+\.0", text) else text for text in texts]
    found = sorted(set(short), key=lambda text: (0, int(text), "") if text.isdecimal() else (1, 0, text))
    names = _class_names(found, reading, where)
    number = {text: n for n, text in enumerate(found)}
    if reading.names and set(found) <= set(reading.names):
        number = {text: n for n, text in enumerate(reading.names)}
    elif all(text.isdecimal() for text in found) and int(found[-1]) < len(names):
        number = {text: int(text) for text in found}
    if len(found) < 2:
        raise refuse(f"{where}: labels", "at least two classes", f"only {found[0]}", "There is nothing to learn.")
    return Labels(torch.tensor([number[text] for text in short]), None, "multiclass", len(names), names)


def _class_names(found: Sequence[str], reading: LabelReading, where: Path) -> tuple[str, ...]:
    """The names of the classes, of which those found are some."""
    if not reading.names:
        return tuple(found)
    if set(found) <= set(reading.names):
        return reading.names
    if all(text.isdecimal() for text in found) and int(found[-1]) < len(reading.names):
        return reading.names
    if not set(found) & set(reading.names) and len(found) == len(reading.names):
        say(f"classes named in order: {', '.join(f'{a} is {b}' for a, b in zip(found, reading.names, strict=True))}")
        return reading.names
    _refuse_unknown(found, reading.names, where)
    return reading.names


def _renamed(found: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    if names and len(names) != len(found):
        raise refuse("dataset.names", f"{len(found)} names, one for each of {', '.join(found)}", len(names))
    return names or found


def _refuse_unknown(found: Sequence[str], names: Sequence[str], where: Path) -> None:
    unknown = [text for text in found if text not in names]
    faults = [Fault(f"{where}: labels", "names of dataset.names", text, near(text, names)) for text in unknown[:MOST]]
    if len(unknown) > MOST:
        faults.append(Fault(f"{where}: labels", "names of dataset.names", f"{len(unknown)} others in all"))
    if faults:
        raise UserError(*faults)


def _checked(labels: Labels, where: Path) -> Labels:
    """The labels; raises UserError where nothing at all is annotated."""
    if labels.seen is not None and not labels.seen.any():
        raise refuse(f"{where}: labels", "annotated findings", "only -1 and blanks", "There is nothing to learn.")
    return labels
