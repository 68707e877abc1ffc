"""A contact sheet: some images of every site, or slices of volumes, a line each, with their masks in red."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fedmed.data.examples import Table, name_of
from fedmed.data.resizing import scaled
from fedmed.data.slices import at_slices, telling_slices

SIDE, GAP, HEAD = 96, 4, 14
"""Pixels: side of an image, space around it, height of the name of a site."""

MOST = 10
"""Images of a site that are shown."""


def contact_sheet(table: Table) -> bytes:
    """The sheet as a PNG file: images evenly chosen from each site, in the order of the set."""
    site = np.zeros(len(table), np.int64) if table.site is None else table.site
    numbers = np.unique(site)
    width, height = GAP + MOST * (SIDE + GAP), HEAD + SIDE + GAP
    sheet = Image.new("RGB", (width, GAP + len(numbers) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for line, number in enumerate(numbers):
        rows = np.flatnonzero(site == number)
        name = "all" if table.site is None else name_of(int(number), table.site_names)
        draw.text((GAP, GAP + line * height), f"{name}: {len(rows)} images", fill="black")
        for place, row in enumerate(rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(int)]):
            tile = Image.fromarray(_tile(table, int(row)))
            sheet.paste(tile, (GAP + place * (SIDE + GAP), GAP + HEAD + line * height))
    stream = BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _tile(table: Table, row: int) -> NDArray[np.uint8]:
    """One image (SIDE, SIDE, 3): its first channel, or its three; floats from the least to the greatest value."""
    x, y = table.examples.x[row : row + 1], table.examples.y[row : row + 1]
    slices = telling_slices(x, y)
    x, y = (torch.from_numpy(at_slices(each.numpy(), slices)) for each in (x, y))
    pixels = scaled(x.float(), (SIDE, SIDE), "bilinear")[0].numpy()
    colours = pixels if len(pixels) == 3 else np.repeat(pixels[len(pixels) // 2][None], 3, 0)
    if x.is_floating_point():
        colours = (colours - colours.min()) * (255 / max(float(np.ptp(colours)), 1e-6))
    tile: NDArray[Any] = np.moveaxis(colours, 0, 2).clip(0, 255).astype(np.uint8)
    if table.task == "segmentation":
        mask = scaled(y[:, None], (SIDE, SIDE), "nearest-exact")[0, 0].numpy() > 0
        tile[mask, 0] = tile[mask, 0] // 2 + 127
    return tile
