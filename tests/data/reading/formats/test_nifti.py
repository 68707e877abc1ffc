"""NIfTI files that ship with nibabel have the voxels that nibabel gives, as one looks at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data.reading.formats import UnreadableError, read_header, read_pixels
from fedmed.datasets.folder import Folder
from fedmed.datasets.table import ImageTable
from fedmed.errors import UserError
from tests.data import trees

nibabel = pytest.importorskip("nibabel")
FILES = Path(nibabel.__file__).parent / "tests/data"


@pytest.mark.parametrize("name", ["anatomical.nii", "standard.nii.gz", "reoriented_anat_moved.nii"])
def test_slices_lie_as_one_looks_at_them(name: str) -> None:
    voxels = nibabel.as_closest_canonical(nibabel.load(FILES / name)).get_fdata()  # right, anterior, superior
    axial, coronal, sagittal = (read_pixels(FILES / name, axis).values for axis in ("axial", "coronal", "sagittal"))
    assert np.allclose(axial[3, 0], voxels[:, ::-1, 3].T)
    assert np.allclose(coronal[3, 0], voxels[:, 3, ::-1].T)
    assert np.allclose(sagittal[3, 0], voxels[3, :, ::-1].T)
    for axis, slices in (("axial", axial), ("coronal", coronal), ("sagittal", sagittal)):
        header = read_header(FILES / name, axis)
        assert (header.slices, header.height, header.width) == (len(slices), *slices.shape[2:])


def test_frames_of_four_dimensions_have_to_be_named() -> None:
    with pytest.raises(UnreadableError, match="4 dimensions"):
        read_pixels(FILES / "example4d.nii.gz")
    voxels = nibabel.as_closest_canonical(nibabel.load(FILES / "example4d.nii.gz")).get_fdata()
    assert np.allclose(read_pixels(FILES / "example4d.nii.gz", "axial", 1).values[0, 0], voxels[:, ::-1, 0, 1].T)
    with pytest.raises(UnreadableError, match="2 frames, and frame 2"):
        read_pixels(FILES / "example4d.nii.gz", "axial", 2)


def volume(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)


@pytest.fixture
def prostate(tmp_path: Path) -> Path:
    """Two sites with two cases each, whose lesion is in the third and fourth of six slices."""
    voxels = np.arange(8 * 8 * 6, dtype=np.int16).reshape(8, 8, 6)
    lesion = np.zeros((8, 8, 6), np.uint8)
    lesion[2:4, 2:4, 2:4] = 1
    for site, ending in (("BIDMC", "_segmentation"), ("ISBI_1.5", "_Segmentation")):
        for case in (0, 3):
            volume(tmp_path / f"{site}/Case{case:02}.nii.gz", voxels + 1000 * case)
            volume(tmp_path / f"{site}/Case{case:02}{ending}.nii.gz", lesion)
    return tmp_path


def test_volumes_become_slices_of_one_patient_each(prostate: Path) -> None:
    table = Folder(path=str(prostate), slices="axial").load()
    assert (table.examples.x.shape, table.site_names) == ((24, 1, 8, 8), ("BIDMC", "ISBI_1.5"))
    assert table.examples.x.dtype == torch.float32
    assert table.patient.tolist() == [n for n in range(4) for _ in range(6)]
    assert table.examples.y.flatten(1).any(1).tolist() == [False, False, True, True, False, False] * 4
    assert len(Folder(path=str(prostate), slices="axial", slice_step=3).load()) == 8


def test_empty_slices_are_dropped_and_neighbours_are_channels(prostate: Path) -> None:
    options = {"slices": "axial", "drop_empty": True}
    plain = Folder(path=str(prostate), slices="axial").load().examples.x
    table = Folder(path=str(prostate), slice_neighbours=1, **options).load()
    assert table.examples.x.shape == (8, 3, 8, 8)
    assert torch.equal(table.examples.x[0], plain[1:4, 0])
    assert table.examples.y.flatten(1).any(1).all()
    edge = Folder(path=str(prostate), slices="axial", slice_neighbours=2).load().examples.x
    assert torch.equal(edge[0], plain[[0, 0, 0, 1, 2], 0])
    windowed = Folder(path=str(prostate), window=[100, 200], **options).load().examples.x
    assert (windowed.min() < 0.1, windowed.max()) == (True, 1)


def test_the_background_is_class_0_in_whatever_order_values_are_mapped(prostate: Path) -> None:
    table = Folder(path=str(prostate), slices="axial", drop_empty=True, mask_values=["1:1", "2:1", "0:0"]).load()
    assert len(table) == 8
    assert table.examples.y.flatten(1).any(1).all()


def test_volumes_where_images_are_asked_say_how_to_cut(prostate: Path) -> None:
    with pytest.raises(UserError, match=r"6 slices of 8 x 8. Cut it into images: dataset.slices=axial"):
        Folder(path=str(prostate)).load()


def test_frames_of_a_heart_come_from_columns(tmp_path: Path) -> None:
    heart = np.random.default_rng(0).integers(0, 500, (8, 8, 2, 5)).astype(np.int16)
    rows = []
    for case, ends in (("A0S9V9", (0, 3)), ("B1", (4, 1))):
        labels = np.zeros(heart.shape, np.uint8)
        for value, frame in enumerate(ends, 1):
            labels[:4, :, :, frame] = value
        volume(tmp_path / f"Labeled/{case}/{case}_sa.nii.gz", heart)
        volume(tmp_path / f"Labeled/{case}/{case}_sa_gt.nii.gz", labels)
        rows.append({"External code": case, "Centre": case[0], "ED": ends[0], "ES": ends[1]})
    name = "Labeled/{External code}/{External code}_sa"
    read = ImageTable(
        path=str(trees.table(tmp_path / "info.csv", rows)),
        image=f"{name}.nii.gz",
        mask=f"{name}_gt.nii.gz",
        frames=["ED", "ES"],
        slices="axial",
    ).load()
    assert read.examples.y.flatten(1).amax(1).tolist() == [1, 1, 2, 2] * 2
    assert (read.site.tolist(), read.patient.tolist()) == ([0] * 4 + [1] * 4, [0] * 4 + [1] * 4)
    assert np.array_equal(read.examples.x[2, 0], heart[:, ::-1, 0, 3].T)


def test_a_mask_of_another_shape_is_refused_by_path(prostate: Path) -> None:
    volume(prostate / "BIDMC/Case03_segmentation.nii.gz", np.zeros((8, 8, 5), np.uint8))
    with pytest.raises(UserError, match=r"Case03_segmentation.nii.gz: expected the shape of Case03.nii.gz, 6 slices"):
        Folder(path=str(prostate), slices="axial").load()


def test_axes_of_the_scanner_do_not_matter(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 1000, (4, 5, 6)).astype(np.float32)
    volume(tmp_path / "a.nii", voxels)
    volume(tmp_path / "b.nii", np.ascontiguousarray(voxels[::-1].transpose(2, 0, 1)),
           np.array([[0, -1, 0, 3], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float))  # fmt: skip
    for axis in ("axial", "coronal", "sagittal"):
        assert np.array_equal(
            read_pixels(tmp_path / "a.nii", axis).values, read_pixels(tmp_path / "b.nii", axis).values
        )
        assert read_header(tmp_path / "a.nii", axis)[:3] == read_header(tmp_path / "b.nii", axis)[:3]
