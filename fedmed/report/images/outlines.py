"""Images and masks as a page draws them: pixels as PNG, the edges of masks as paths over them."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray


def image_uri(x: NDArray[np.uint8]) -> str:
    """An image (C, H, W) as a data address; of other than three channels the first one, in grey."""
    from PIL import Image

    content = BytesIO()
    pixels = np.moveaxis(x, 0, -1) if len(x) == 3 else x[0]
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def outline(mask: NDArray[Any]) -> str:
    """The edges of a mask (H, W) as the d of an SVG path, in half pixels; empty where nothing is set."""
    from contourpy import contour_generator

    if not mask.any():
        return ""
    lines = contour_generator(z=np.pad(mask.astype(float), 1)).lines(0.5)
    return "".join(_path(np.asarray(line) - 0.5) for line in lines)


def _path(points: NDArray[np.float64]) -> str:
    """A line by its first point and the steps from there, which are short to write."""
    kept = np.rint(2 * points[_corners(points)]).astype(int)
    (x, y), steps = kept[0], np.diff(kept, axis=0)
    return f"M{x} {y}l{' '.join(f'{right} {down}' for right, down in steps)}z".replace(" -", "-")


def _corners(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points of a closed line (its first one comes again at its end) are not on the way straight on."""
    steps = np.diff(points, axis=0)
    before = np.roll(steps, 1, axis=0)
    turns = before[:, 0] * steps[:, 1] != before[:, 1] * steps[:, 0]
    return np.append(turns, False)


def dice(mask: NDArray[Any], truth: NDArray[Any]) -> float | None:
    """Dice of masks (H, W), mean over the foreground classes that either has; None where there are none."""
    classes = [c for c in np.union1d(np.unique(mask), np.unique(truth)) if c]
    pairs = [(mask == c, truth == c) for c in classes]
    found = [2 * (ours & true).sum() / (ours.sum() + true.sum()) for ours, true in pairs]
    return float(np.mean(found)) if found else None
