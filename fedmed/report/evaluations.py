"""The last evaluations of runs as figures and tables take them: arrays, of which older runs lack some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.series import Values
from fedmed.rundir.evaluation import NAME, read_evaluation
from fedmed.rundir.json_text import parse

ALIASES = {"map": "auprc", "recall": "sensitivity"}
"""Values per class that are another metric's, by the name that both kinds of classification share."""

IMAGES = "_images"
"""What names of counts of images end with, which are beside the values per class."""

T = TypeVar("T")


class ThresholdCounts(NamedTuple):
    """True and false positives at falling thresholds, (K + 1,): none at first, all at last."""

    tp: Values
    fp: Values


class CalibrationBins(NamedTuple):
    """Examples, true ones, and mean probability in bins of probability, (B,)."""

    n: Values
    hits: Values
    p: Values


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One run's last evaluation on the server's test images; what the run did not keep is empty or None.

    per_class: metric -> value of every class (C,), nan where undefined. images: metric -> in how many images it is
    defined, class by class (C,); for Dice those with the class in truth or prediction.
    confusion: (C, C) images or pixels, rows truth. decisions: (C, 4) true, false positives, false, true negatives.
    thresholds, calibration: per class, None for a class without. top: calibration of the most probable class.
    dice, mean_dice: of images, ascending; per class, and of the mean over the classes in view.
    """

    per_class: Mapping[str, Values] = field(default_factory=dict)
    images: Mapping[str, Values] = field(default_factory=dict)
    confusion: NDArray[np.int64] | None = None
    decisions: Values | None = None
    thresholds: Sequence[ThresholdCounts | None] = ()
    calibration: Sequence[CalibrationBins | None] = ()
    top: CalibrationBins | None = None
    dice: Sequence[Values | None] = ()
    mean_dice: Values | None = None

    @property
    def classes(self) -> int:
        """How many classes there are; 0 where nothing is known per class."""
        tables = [*self.per_class.values(), *(t for t in (self.confusion, self.decisions) if t is not None)]
        return max(map(len, tables), default=0)

    @cached_property
    def counts(self) -> Values | None:
        """The decisions; by the confusion matrix where they were not kept."""
        if self.decisions is not None or self.confusion is None:
            return self.decisions
        right, rows, columns = self.confusion.diagonal(), self.confusion.sum(1), self.confusion.sum(0)
        total = self.confusion.sum()
        return np.stack([right, columns - right, rows - right, total - rows - columns + right], 1).astype(float)


@dataclass(frozen=True, slots=True)
class WorldEvaluations:
    """Those of a world: of every arm by seed, and what the classes are called."""

    arms: Mapping[str, Sequence[Evaluation]]
    names: Sequence[str]

    @property
    def segmented(self) -> bool:
        """Whether images were segmented, so that class 0 is background."""
        return any("dice" in each.per_class for found in self.arms.values() for each in found)

    @property
    def shown(self) -> list[int]:
        """Numbers of the classes that tables and figures show: all but the background of a segmentation."""
        return [*range(1 if self.segmented else 0, len(self.names))]


def world_evaluations(comparison: Comparison, world: str, notes: list[str]) -> WorldEvaluations | None:
    """What a world's runs kept; None where they have no values per class. notes: gets what cannot be read."""
    runs = [(arm, run) for arm in comparison.arms for run in series.arm_runs(comparison, world, arm)]
    evaluated = [(arm, run, each) for arm, run in runs if (each := _read(run, notes)) and each.classes]
    if not evaluated:
        return None
    sizes = Counter(each.classes for _, _, each in evaluated)
    number = max(sizes, key=lambda size: sizes[size])
    arms: dict[str, list[Evaluation]] = {}
    names: Sequence[str] = ()
    for arm, run, each in evaluated:
        if each.classes == number:
            arms.setdefault(arm, []).append(each)
            names = names or class_names(run.path)
        else:
            notes.append(f"{run.path / NAME} is of {each.classes} classes and not of {number}, and was left out.")
    return WorldEvaluations(arms, names if len(names) == number else [str(label) for label in range(number)])


def _read(run: ComparedRun, notes: list[str]) -> Evaluation | None:
    """What a run kept; None where it cannot be read, which is noted."""
    try:
        return parsed(read_evaluation(run.path))
    except UserError as error:
        notes += [str(fault) for fault in error.faults]
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        notes.append(f"{run.path / NAME} is not as fedmed writes it, and was left out ({error}).")
    return None


def class_names(folder: Path) -> list[str]:
    """What a run calls its classes; empty where it does not say."""
    for file, key in (("model.json", "names"), ("federation.json", "class_names")):
        try:
            found = parse((folder / file).read_bytes(), file).get(key)
        except (OSError, UserError):
            continue
        if isinstance(found, list) and found:
            return [str(name) for name in found]
    return []


def parsed(test: Mapping[str, Any]) -> Evaluation:
    """The content of an evaluation; raises ValueError and its kin where it is of another form."""
    values = {k.removesuffix("_per_class"): _column(v) for k, v in test.items() if k.endswith("_per_class")}
    confusion = _optional(test, "confusion", lambda rows: np.array(rows, np.int64))
    if confusion is not None and confusion.shape != (len(confusion),) * 2:
        raise ValueError(f"a confusion matrix of shape {confusion.shape}")
    if confusion is not None and "balanced_accuracy" in values:
        values["recall"] = values.pop("balanced_accuracy")  # with one class per image it is the mean of these
    return Evaluation(
        per_class={ALIASES.get(name, name): column for name, column in values.items() if not name.endswith(IMAGES)},
        images={name.removesuffix(IMAGES): column for name, column in values.items() if name.endswith(IMAGES)},
        confusion=confusion,
        **_drawn_from(test.get("breakdown") or {}),
    )


def _drawn_from(found: Mapping[str, Any]) -> dict[str, Any]:
    """What curves and distributions are drawn from, as fields of an evaluation."""
    return {
        "decisions": _optional(found, "decisions", _decisions),
        "thresholds": _listed(found, "thresholds", _thresholds),
        "calibration": _listed(found, "calibration", _bins),
        "top": _optional(found, "top_calibration", _bins),
        "dice": _listed(found, "dice_by_image", _column),
        "mean_dice": _optional(found, "mean_dice_by_image", _column),
    }


def _optional(found: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    """An entry as `read` takes it; None where it is not there, or holds nothing."""
    return read(found[name]) if found.get(name) else None


def _listed(found: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> list[T | None]:
    """The same of an entry that is a list with None for what is not known."""
    return [read(each) if each else None for each in found.get(name) or ()]


def _decisions(found: Sequence[Mapping[str, int]]) -> Values:
    return np.array([[each[name] for name in ("tp", "fp", "fn", "tn")] for each in found], float)


def _column(values: Any) -> Values:
    found = np.array(values, np.float64)
    if found.ndim != 1:
        raise ValueError(f"values of {found.ndim} dimensions")
    return found


def _thresholds(found: Mapping[str, Any]) -> ThresholdCounts:
    tp, fp = (np.append(0.0, _column(found[name])) for name in ("tp", "fp"))
    if len(tp) != len(fp) or len(tp) < 2 or not tp[-1] > 0 or not fp[-1] > 0:
        raise ValueError("counts along thresholds of different lengths, or of nothing")
    return ThresholdCounts(tp, fp)


def _bins(found: Mapping[str, Any]) -> CalibrationBins:
    columns = [_column(found[name]) for name in CalibrationBins._fields]
    if len({*map(len, columns)}) != 1:
        raise ValueError("bins of different lengths")
    return CalibrationBins(*columns)
