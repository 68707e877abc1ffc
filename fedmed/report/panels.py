"""Images that a clinician would cell at: what was seen, what is true, what was annotated, what each arm says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedmed.comparison.runs import Comparison
from fedmed.errors import UserError
from fedmed.report import series
from fedmed.report.outlines import dice, image_uri, outline
from fedmed.results.shown import Panel, Shown, load
from fedmed.results.text import percent


class Word(NamedTuple):
    """What is said about an image, and whether it is true; None where that is not the question."""

    text: str
    right: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: an image with outlines, or words, or both.

    image: number among the page's images, or None. side: its pixels. lines: kind (truth, ours) and path. words: below.
    """

    image: int | None = None
    side: int = 0
    lines: tuple[tuple[str, str], ...] = ()
    words: tuple[Word, ...] = ()


class Strip(NamedTuple):
    """One view of all images of a board. aside: said below its name. arm: whose it is, or nobody's."""

    name: str
    cells: Sequence[Cell]
    aside: str = ""
    arm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A table of images: a column per image, a row per view of it. columns: over them, or nothing."""

    title: str
    note: str
    rows: Sequence[Strip]
    columns: Sequence[str] = ()
    outlined: bool = False


@dataclass(slots=True)
class Album:
    """Every image of a page, once: number by address; and the edges of every mask, by what it holds."""

    uris: dict[str, int] = field(default_factory=dict)
    edges: dict[bytes, str] = field(default_factory=dict)

    def add(self, x: NDArray[np.uint8]) -> int:
        """The image's number."""
        return self.uris.setdefault(image_uri(x), len(self.uris))

    def outline(self, mask: NDArray[np.bool_]) -> str:
        """The mask's edges as a path."""
        key = repr(mask.shape).encode() + np.packbits(mask).tobytes()
        if key not in self.edges:
            self.edges[key] = outline(mask)
        return self.edges[key]


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
        rows = [_images(album, first), _true_masks(album, first)]
        rows += [_of(shown, arm, [_predicted_mask(album, p, n) for n in _all(p)]) for arm, p in tests.items()]
        note = "Test images that no client has, small findings to large. Under each prediction, its Dice."
        yield Board(title="Test images", note=note, rows=rows, outlined=True)
    if training := shown.panels("training"):
        first = next(iter(training.values()))
        rows = [_images(album, first), _true_masks(album, first)]
        rows += [Strip("as annotated", [_annotated(album, first, n, first.given) for n in _all(first)])]
        rows += [
            Strip(arm, [_annotated(album, p, n, p.corrected) for n in _all(p)], "as corrected", arm)
            for arm, p in training.items()
            if p.corrected is not None
        ]
        note = (
            "Training images of the clients whose masks lack most. Below, the share of true pixels that is annotated."
        )
        yield Board(title="Annotation", note=note, rows=rows, columns=_owners(first), outlined=True)


def _all(panel: Panel) -> range:
    return range(len(panel))


def _images(album: Album, panel: Panel) -> Strip:
    return Strip("image", [Cell(image=album.add(x), side=x.shape[-1]) for x in panel.x])


def _true_masks(album: Album, panel: Panel) -> Strip:
    return Strip("truth", [_masked(album, panel, n, truth=panel.truth[n]) for n in _all(panel)])


def _owners(panel: Panel) -> list[str]:
    """Whose images they are."""
    return [] if panel.client is None else [f"client {client}" for client in panel.client]


def _of(shown: Views, arm: str, cells: Sequence[Cell]) -> Strip:
    """What an arm says, and whose model says it where it is not everybody's."""
    client = shown.arms[arm].client
    return Strip(arm, cells, "" if client is None else f"client {client}'s model", arm)


def _masked(album: Album, panel: Panel, n: int, **masks: NDArray[Any]) -> Cell:
    lines = tuple((kind, path) for kind, mask in masks.items() if (path := album.outline(mask > 0)))
    return Cell(image=album.add(panel.x[n]), side=panel.x.shape[-1], lines=lines)


def _predicted_mask(album: Album, panel: Panel, n: int) -> Cell:
    assert panel.predicted is not None
    cell = _masked(album, panel, n, truth=panel.truth[n], ours=panel.predicted[n])
    found = dice(panel.predicted[n], panel.truth[n])
    return Cell(
        image=cell.image, side=cell.side, lines=cell.lines, words=() if found is None else (Word(f"{found:.2f}"),)
    )


def _annotated(album: Album, panel: Panel, n: int, labels: NDArray[Any] | None) -> Cell:
    assert labels is not None
    cell = _masked(album, panel, n, truth=panel.truth[n], ours=labels[n])
    true = panel.truth[n] > 0
    share = float(((labels[n] > 0) & true).sum() / true.sum()) if true.any() else float("nan")
    return Cell(image=cell.image, side=cell.side, lines=cell.lines, words=(Word(percent(share)),))


def _classified(shown: Views, album: Album) -> Iterator[Board]:
    names = shown.first.names
    if wrong := {arm: each.mistakes for arm, each in shown.arms.items() if each.mistakes is not None}:
        rows = [_of(shown, arm, [_said(p, n, names, album) for n in _all(p)]) for arm, p in wrong.items()]
        note = "Test images on which each was most sure and wrong, the surest first."
        yield Board(title="Most confident mistakes", note=note, rows=rows)
    if tests := shown.panels("test"):
        first = next(iter(tests.values()))
        rows = [_images(album, first), _true_labels(first, names)]
        rows += [_of(shown, arm, [_said(p, n, names) for n in _all(p)]) for arm, p in tests.items()]
        yield Board(title="Test images", note="Images that no client has, the same for all.", rows=rows)
    if training := shown.panels("training"):
        yield _training(training, album, names)


def _training(training: Mapping[str, Panel], album: Album, names: Sequence[str]) -> Board:
    first = next(iter(training.values()))
    rows = [_images(album, first), _true_labels(first, names)]
    rows += [Strip("as annotated", _labelled(first, first.given, first.given_seen, names))]
    rows += [
        Strip(arm, _labelled(panel, panel.corrected, panel.corrected_seen, names), "as corrected", arm)
        for arm, panel in training.items()
        if panel.corrected is not None
    ]
    note = "Training images of the clients whose labels differ most from the truth."
    return Board(title="Annotation", note=note, rows=rows, columns=_owners(first))


def _true_labels(panel: Panel, names: Sequence[str]) -> Strip:
    return Strip("truth", [Cell(words=_labels(y, names)) for y in panel.truth])


def _labelled(panel: Panel, y: Any, seen: Any, names: Sequence[str]) -> list[Cell]:
    return [Cell(words=_labels(y[n], names, _at(seen, n))) for n in _all(panel)]


def _at(values: NDArray[Any] | None, n: int) -> Any:
    return None if values is None else values[n]


def _name(names: Sequence[str], label: int) -> str:
    name = names[label] if names else str(label)
    return f"class {name}" if name.isdecimal() else name


def _labels(y: Any, names: Sequence[str], seen: Any = None) -> tuple[Word, ...]:
    """A class by name, or findings by name and how many were not looked for."""
    if np.ndim(y) == 0:
        return (Word(_name(names, int(y))),)
    known = np.ones(len(y), bool) if seen is None else np.asarray(seen)
    found = [_name(names, int(label)) for label in np.flatnonzero((y > 0) & known)]
    rest = int((~known).sum())
    return tuple(map(Word, [*(found or ["none"]), *([f"{rest} of {len(y)} not annotated"] if rest else [])]))


def _said(panel: Panel, n: int, names: Sequence[str], album: Album | None = None) -> Cell:
    """What was predicted of one image; with an album the image too, and what is true of what is most wrong."""
    assert panel.predicted is not None
    p, y = panel.predicted[n].astype(float), panel.truth[n]
    if album is None:
        return Cell(words=_class(p, y, names) if y.ndim == 0 else _findings(p, y, names))
    words = _mistaken_class(p, y, names) if y.ndim == 0 else _mistaken_finding(p, y, names)
    return Cell(image=album.add(panel.x[n]), side=panel.x.shape[-1], words=words)


def _class(p: Any, y: Any, names: Sequence[str]) -> tuple[Word, ...]:
    top = int(p.argmax())
    return (Word(f"{_name(names, top)}, {percent(float(p[top]))}", top == int(y)),)


def _mistaken_class(p: Any, y: Any, names: Sequence[str]) -> tuple[Word, ...]:
    return (*_class(p, y, names), Word(f"truth: {_name(names, int(y))}"))


def _findings(p: Any, y: Any, names: Sequence[str]) -> tuple[Word, ...]:
    """Findings that are said to be there, right or wrong, and those that were missed."""
    said = [Word(f"{_name(names, int(f))}, {percent(float(p[f]))}", bool(y[f] > 0)) for f in np.flatnonzero(p > 0.5)]
    missed = [Word(f"missed: {_name(names, int(f))}", False) for f in np.flatnonzero((p <= 0.5) & (y > 0))]
    return tuple([*said, *missed] or [Word("none", True)])


def _mistaken_finding(p: Any, y: Any, names: Sequence[str]) -> tuple[Word, ...]:
    """The finding that is furthest off."""
    worst = int(np.abs(p - y).argmax())
    there = "present" if y[worst] > 0 else "absent"
    return Word(f"{_name(names, worst)}, {percent(float(p[worst]))}", False), Word(f"truth: {there}")
