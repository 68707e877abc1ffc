from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from fedmed.data.contact_sheet import GAP, HEAD, MOST, SIDE, contact_sheet
from fedmed.data.examples import Examples
from tests.data.tables import table


@pytest.mark.parametrize("task", ["multiclass", "segmentation"])
@pytest.mark.parametrize("sites", [1, 3])
def test_each_site_has_a_line(task, sites):
    known = {"site": np.arange(24) % sites, "site_names": ("Ulm", "Bonn", "Kiel")} if sites > 1 else {}
    given = table(24, task=task, side=16, **known)
    sheet = np.asarray(Image.open(BytesIO(contact_sheet(given))))
    assert sheet.shape == (GAP + sites * (HEAD + SIDE + GAP), GAP + MOST * (SIDE + GAP), 3)
    shown = min(MOST, 24 // sites)
    first = sheet[GAP + HEAD : GAP + HEAD + SIDE]
    assert (first[:, GAP + (shown - 1) * (SIDE + GAP)] != 255).any()
    red = first[..., 0].astype(int) - first[..., 1]
    assert (red.max() > 60) == (task == "segmentation")


def test_of_volumes_the_slice_with_most_of_the_mask_is_shown():
    flat = table(6, task="segmentation", side=16)
    x = torch.zeros(6, 1, 5, 16, 16, dtype=torch.uint8)
    y = torch.zeros(6, 5, 16, 16, dtype=torch.uint8)
    x[:, :, 3], y[:, 3, 4:12, 4:12] = 200, 1
    sheet = np.asarray(Image.open(BytesIO(contact_sheet(replace(flat, examples=Examples(x, y))))))
    tile = sheet[GAP + HEAD : GAP + HEAD + SIDE, GAP : GAP + SIDE].astype(int)
    assert tile[2, 2].tolist() == [200, 200, 200]
    assert tile[SIDE // 2, SIDE // 2].tolist() == [227, 200, 200]
