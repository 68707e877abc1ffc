"""Images that a clinician would look at: what was seen, what is true, what was annotated, what each arm says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from fedmed.report.images.captions import (
    Caption,
    class_captions,
    finding_captions,
    label_captions,
    mistaken_class_captions,
    mistaken_finding_captions,
    percent,
)
from fedmed.report.images.collection import ArmImages, ImageCell, ImageGrid, ImageRow, SharedImages
from fedmed.report.images.outlines import dice
from fedmed.rundir.kept_images import ImagePanel


def image_grids(shown: ArmImages, shared_images: SharedImages) -> Iterator[ImageGrid]:
    """Test images beside what each arm says, training images beside what was annotated, and mistakes."""
    if shown.first.kind == "segmentation":
        yield from _segmented(shown, shared_images)
    else:
        yield from _classified(shown, shared_images)


def _segmented(shown: ArmImages, shared_images: SharedImages) -> Iterator[ImageGrid]:
    if tests := shown.panels("test"):
        first = next(iter(tests.values()))
        rows = [_images(shared_images, first), _true_masks(shared_images, first)]
        rows += [_of(shown, arm, [_predicted_mask(shared_images, p, n) for n in _all(p)]) for arm, p in tests.items()]
        note = f"Test images that no client has, small findings to large. Under each prediction, its Dice.{_cut(first)}"
        yield ImageGrid(title="Test images", note=note, rows=rows, columns=_heads(first), outlined=True)
    if training := shown.panels("training"):
        first = next(iter(training.values()))
        rows = [_images(shared_images, first), _true_masks(shared_images, first)]
        rows += [ImageRow("as annotated", [_annotated(shared_images, first, n, first.given) for n in _all(first)])]
        rows += [
            ImageRow(arm, [_annotated(shared_images, p, n, p.corrected) for n in _all(p)], "as corrected", arm)
            for arm, p in training.items()
            if p.corrected is not None
        ]
        note = (
            "Training images of the clients whose masks lack most. Below, the share of true pixels that is annotated."
            f"{_cut(first)}"
        )
        yield ImageGrid(title="Annotation", note=note, rows=rows, columns=_heads(first), outlined=True)


def _all(panel: ImagePanel) -> range:
    return range(len(panel))


def _images(shared_images: SharedImages, panel: ImagePanel) -> ImageRow:
    return ImageRow("image", [ImageCell(image=shared_images.add(x), side=x.shape[-1]) for x in panel.x])


def _true_masks(shared_images: SharedImages, panel: ImagePanel) -> ImageRow:
    return ImageRow("truth", [_masked(shared_images, panel, n, truth=panel.truth[n]) for n in _all(panel)])


def _heads(panel: ImagePanel) -> list[str]:
    """`client 3` over each image, where it is known whose it is, and `slice 14` of a volume."""
    owners = [] if panel.client is None else [f"client {client}" for client in panel.client]
    slices = [] if panel.slices is None else [f"slice {at + 1}" for at in panel.slices]
    return [", ".join(words) for words in zip(*filter(None, (owners, slices)), strict=True)]


def _cut(panel: ImagePanel) -> str:
    """A sentence on which slices of volumes are shown, after what is said of them; empty for images."""
    chosen = "the slice that shows most of its mask" if panel.truth.ndim > 2 else "the middle slice"
    return "" if panel.slices is None else f" Of each volume, {chosen} across its first axis."


def _of(shown: ArmImages, arm: str, cells: Sequence[ImageCell]) -> ImageRow:
    """What an arm says, and whose model says it where it is not everybody's."""
    client = shown.arms[arm].client
    return ImageRow(arm, cells, "" if client is None else f"client {client}'s model", arm)


def _masked(shared_images: SharedImages, panel: ImagePanel, n: int, **masks: NDArray[Any]) -> ImageCell:
    lines = tuple((kind, path) for kind, mask in masks.items() if (path := shared_images.outline(mask > 0)))
    return ImageCell(image=shared_images.add(panel.x[n]), side=panel.x.shape[-1], lines=lines)


def _predicted_mask(shared_images: SharedImages, panel: ImagePanel, n: int) -> ImageCell:
    assert panel.predicted is not None
    cell = _masked(shared_images, panel, n, truth=panel.truth[n], ours=panel.predicted[n])
    found = dice(panel.predicted[n], panel.truth[n])
    return ImageCell(
        image=cell.image, side=cell.side, lines=cell.lines, words=() if found is None else (Caption(f"{found:.2f}"),)
    )


def _annotated(shared_images: SharedImages, panel: ImagePanel, n: int, y: NDArray[Any] | None) -> ImageCell:
    assert y is not None
    cell = _masked(shared_images, panel, n, truth=panel.truth[n], ours=y[n])
    true = panel.truth[n] > 0
    share = float(((y[n] > 0) & true).sum() / true.sum()) if true.any() else float("nan")
    return ImageCell(image=cell.image, side=cell.side, lines=cell.lines, words=(Caption(percent(share)),))


def _classified(shown: ArmImages, shared_images: SharedImages) -> Iterator[ImageGrid]:
    names = shown.first.names
    if wrong := {arm: each.mistakes for arm, each in shown.arms.items() if each.mistakes is not None}:
        rows = [_of(shown, arm, [_captioned(p, n, names, shared_images) for n in _all(p)]) for arm, p in wrong.items()]
        note = f"Test images on which each was most sure and wrong, the surest first.{_cut(next(iter(wrong.values())))}"
        yield ImageGrid(title="Most confident mistakes", note=note, rows=rows)
    if tests := shown.panels("test"):
        first = next(iter(tests.values()))
        rows = [_images(shared_images, first), _true_labels(first, names)]
        rows += [_of(shown, arm, [_captioned(p, n, names) for n in _all(p)]) for arm, p in tests.items()]
        note = f"Images that no client has, the same for all.{_cut(first)}"
        yield ImageGrid(title="Test images", note=note, rows=rows)
    if training := shown.panels("training"):
        yield _training(training, shared_images, names)


def _training(training: Mapping[str, ImagePanel], shared_images: SharedImages, names: Sequence[str]) -> ImageGrid:
    first = next(iter(training.values()))
    rows = [_images(shared_images, first), _true_labels(first, names)]
    rows += [ImageRow("as annotated", _labelled(first, first.given, first.given_seen, names))]
    rows += [
        ImageRow(arm, _labelled(panel, panel.corrected, panel.corrected_seen, names), "as corrected", arm)
        for arm, panel in training.items()
        if panel.corrected is not None
    ]
    note = f"Training images of the clients whose labels differ most from the truth.{_cut(first)}"
    return ImageGrid(title="Annotation", note=note, rows=rows, columns=_heads(first))


def _true_labels(panel: ImagePanel, names: Sequence[str]) -> ImageRow:
    return ImageRow("truth", [ImageCell(words=label_captions(y, names)) for y in panel.truth])


def _labelled(panel: ImagePanel, y: Any, seen: Any, names: Sequence[str]) -> list[ImageCell]:
    return [ImageCell(words=label_captions(y[n], names, _at(seen, n))) for n in _all(panel)]


def _at(values: NDArray[Any] | None, n: int) -> Any:
    return None if values is None else values[n]


def _captioned(panel: ImagePanel, n: int, names: Sequence[str], shared_images: SharedImages | None = None) -> ImageCell:
    """What was predicted of one image; with `shared_images` the image too, and what is true of what is most wrong."""
    assert panel.predicted is not None
    p, y = panel.predicted[n].astype(float), panel.truth[n]
    if shared_images is None:
        return ImageCell(words=class_captions(p, y, names) if y.ndim == 0 else finding_captions(p, y, names))
    words = mistaken_class_captions(p, y, names) if y.ndim == 0 else mistaken_finding_captions(p, y, names)
    return ImageCell(image=shared_images.add(panel.x[n]), side=panel.x.shape[-1], words=words)
