"""Images that a clinician would cell at: what was seen, what is true, what was annotated, what each arm says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import Comparison
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.outlines import dice, image_uri, outline
from fedmed.results.shown import Panel, Shown, load
from fedmed.results.text import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: an image with outlines, or words, or both.

    image: number among the page's images, or None. side: its pixels. lines: kind (truth, given, ours) and path.
    words: below. right: whether what is said is true; None where that is not the question.
    """

    image: int | None = None
    side: int = 0
    lines: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    right: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A table of images: a row per image, a column per view."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    outlined: bool = False


@dataclass(slots=True)
class Album:
    """Every image of a page, once: address by number."""

    uris: dict[str, int] = field(default_factory=dict)

    def add(self, x: NDArray[np.uint8]) -> int:
        """The image's number."""
        return self.uris.setdefault(image_uri(x), len(self.uris))


@dataclass(frozen=True, slots=True)
class Views:
    """What arms show in one world, for one seed."""

    arms: Mapping[str, Shown]
    seed: int

    @property
    def first(self) -> Shown:
        """Of the first arm: kind and names are the same for all."""
        return next(iter(self.arms.values()))

    def panels(self, name: str) -> dict[str, Panel]:
        """A panel by arm, of the arms that show the images that the first one shows."""
        found = {arm: panel for arm, shown in self.arms.items() if (panel := getattr(shown, name)) is not None}
        first = next(iter(found.values()), None)
        return {arm: p for arm, p in found.items() if first is not None and np.array_equal(p.x, first.x)}


def views(comparison: Comparison, world: str, notes: list[str]) -> Views | None:
    """What is shown of the seed for which most arms show anything; None where no run kept images.

    notes: gets what cannot be read.
    """
    found: dict[int, dict[str, Shown]] = {seed: {} for seed in comparison.seeds}
    for arm in comparison.arms:
        for run in series.runs_of(comparison, world, arm):
            try:
                shown = load(run.path)
            except UserError as error:
                notes += [str(fault) for fault in error.faults]
                continue
            if shown is not None:
                found[run.seed][arm] = shown
    seed = max(found, key=lambda seed: len(found[seed]), default=None)
    return Views(found[seed], seed) if seed is not None and found[seed] else None


def boards(shown: Views, album: Album) -> Iterator[Board]:
    """Test images beside what each arm says, training images beside what was annotated, and mistakes."""
    if shown.first.kind == "segmentation":
        yield from _segmented(shown, album)
    else:
        yield from _classified(shown, album)


def _segmented(shown: Views, album: Album) -> Iterator[Board]:
    if tests := shown.panels("test"):
        first = next(iter(tests.values()))
        rows = [
            [_image(album, first, n), _masked(album, first, n, truth=first.truth[n])]
            + [_predicted_mask(album, panel, n) for panel in tests.values()]
            for n in range(len(first))
        ]
        note = "Test images that no client has, small findings to large. Under each prediction, its Dice."
        yield _board("Test images", note, ["image", "truth", *_told(shown, tests)], rows, outlined=True)
    if training := shown.panels("training"):
        first = next(iter(training.values()))
        fixed = {arm: panel for arm, panel in training.items() if panel.corrected is not None}
        rows = [
            [_image(album, first, n, (f"client {first.client[n]}",) if first.client is not None else ())]
            + [_masked(album, first, n, truth=first.truth[n])]
            + [_annotated(album, first, n, first.given)]
            + [_annotated(album, panel, n, panel.corrected) for panel in fixed.values()]
            for n in range(len(first))
        ]
        note = (
            "Training images of the clients whose masks lack most. Below, the share of true pixels that is annotated."
        )
        columns = ["image", "truth", "as annotated", *(f"corrected by {arm}" for arm in fixed)]
        yield _board("Annotation", note, columns, rows, outlined=True)


def _board(title: str, note: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], **rest: bool) -> Board:
    return Board(title=title, note=note, columns=columns, rows=rows, **rest)


def _told(shown: Views, panels: Mapping[str, Panel]) -> list[str]:
    """The arms by name, and whose model it is where it is not everybody's."""
    clients = {arm: shown.arms[arm].client for arm in panels}
    return [arm if clients[arm] is None else f"{arm} (client {clients[arm]}'s model)" for arm in panels]


def _image(album: Album, panel: Panel, n: int, words: tuple[str, ...] = ()) -> Cell:
    return Cell(image=album.add(panel.x[n]), side=panel.x.shape[-1], words=words)


def _masked(album: Album, panel: Panel, n: int, **masks: NDArray[Any]) -> Cell:
    lines = tuple((kind, path) for kind, mask in masks.items() if (path := outline(mask > 0)))
    return Cell(image=album.add(panel.x[n]), side=panel.x.shape[-1], lines=lines)


def _predicted_mask(album: Album, panel: Panel, n: int) -> Cell:
    assert panel.predicted is not None
    cell = _masked(album, panel, n, truth=panel.truth[n], ours=panel.predicted[n])
    found = dice(panel.predicted[n], panel.truth[n])
    return Cell(image=cell.image, side=cell.side, lines=cell.lines, words=() if found is None else (f"{found:.2f}",))


def _annotated(album: Album, panel: Panel, n: int, labels: NDArray[Any] | None) -> Cell:
    assert labels is not None
    cell = _masked(album, panel, n, truth=panel.truth[n], ours=labels[n])
    true = panel.truth[n] > 0
    share = float(((labels[n] > 0) & true).sum() / true.sum()) if true.any() else float("nan")
    return Cell(image=cell.image, side=cell.side, lines=cell.lines, words=(percent(share),))


def _classified(shown: Views, album: Album) -> Iterator[Board]:
    names = shown.first.names
    wrong = {arm: s.mistakes for arm, s in shown.arms.items() if s.mistakes is not None}
    if wrong:
        longest = max(map(len, wrong.values()))
        rows = [
            [Cell(words=(arm,)), *(_said(album, panel, n, names, image=True) for n in range(len(panel)))]
            + [Cell()] * (longest - len(panel))
            for arm, panel in wrong.items()
        ]
        note = "Test images on which an arm is most sure and wrong, the surest first."
        columns = ["", *(str(n + 1) for n in range(longest))]
        yield _board("Most confident mistakes", note, columns, rows)
    if tests := shown.panels("test"):
        first = next(iter(tests.values()))
        rows = [
            [_image(album, first, n), Cell(words=_labels(first.truth[n], names))]
            + [_said(album, panel, n, names) for panel in tests.values()]
            for n in range(len(first))
        ]
        note = "Test images that no client has, the same for every arm."
        yield _board("The same images", note, ["image", "truth", *_told(shown, tests)], rows)
    if training := shown.panels("training"):
        yield _training(training, album, names)


def _training(training: Mapping[str, Panel], album: Album, names: Sequence[str]) -> Board:
    first = next(iter(training.values()))
    assert first.given is not None
    fixed = {arm: panel for arm, panel in training.items() if panel.corrected is not None}
    rows = [
        [_image(album, first, n, (f"client {first.client[n]}",) if first.client is not None else ())]
        + [Cell(words=_labels(first.truth[n], names))]
        + [Cell(words=_labels(first.given[n], names, _at(first.given_seen, n)))]
        + [Cell(words=_labels(_at(p.corrected, n), names, _at(p.corrected_seen, n))) for p in fixed.values()]
        for n in range(len(first))
    ]
    note = "Training images of the clients whose labels differ most from the truth."
    columns = ["image", "truth", "as annotated", *(f"corrected by {arm}" for arm in fixed)]
    return _board("Annotation", note, columns, rows)


def _at(values: NDArray[Any] | None, n: int) -> Any:
    return None if values is None else values[n]


def _name(names: Sequence[str], label: int) -> str:
    return names[label] if names else f"class {label}"


def _labels(y: Any, names: Sequence[str], seen: Any = None) -> tuple[str, ...]:
    """A class by name, or findings by name and how many were not looked for."""
    if np.ndim(y) == 0:
        return (_name(names, int(y)),)
    known = np.ones(len(y), bool) if seen is None else np.asarray(seen)
    found = [_name(names, int(label)) for label in np.flatnonzero((y > 0) & known)]
    rest = int((~known).sum())
    return (*(found or ["none"]), *([f"{rest} of {len(y)} not annotated"] if rest else []))


def _said(album: Album, panel: Panel, n: int, names: Sequence[str], *, image: bool = False) -> Cell:
    """What was predicted of one image, and with image=True what is true beside it."""
    assert panel.predicted is not None
    p, y = panel.predicted[n].astype(float), panel.truth[n]
    words, right = _classes(p, y, names, image) if y.ndim == 0 else _findings(p, y, names, image)
    place = {"image": album.add(panel.x[n]), "side": panel.x.shape[-1]} if image else {}
    return Cell(words=words, right=right, **place)


def _classes(p: Any, y: Any, names: Sequence[str], truth: bool) -> tuple[tuple[str, ...], bool]:
    top = int(p.argmax())
    said = f"{_name(names, top)} {percent(float(p[top]))}"
    return ((said, f"is {_name(names, int(y))}") if truth else (said,)), top == int(y)


def _findings(p: Any, y: Any, names: Sequence[str], truth: bool) -> tuple[tuple[str, ...], bool]:
    """The finding that is furthest off; or of all findings those that are said to be there."""
    if truth:
        worst = int(np.abs(p - y).argmax())
        there = "is there" if y[worst] > 0 else "is not there"
        return (f"{_name(names, worst)} {percent(float(p[worst]))}", there), False
    found = np.flatnonzero(p > 0.5)
    words = tuple(f"{_name(names, int(label))} {percent(float(p[label]))}" for label in found) or ("none",)
    return words, bool(((p > 0.5) == (y > 0)).all())
