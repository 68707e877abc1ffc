from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from fedmed.data.contact_sheet import GAP, HEAD, MOST, SIDE, contact_sheet
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
