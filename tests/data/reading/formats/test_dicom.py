"""DICOM files that ship with pydicom have the pixels that pydicom gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.data.reading.formats import UnreadableError, read_header, read_pixels

pydicom = pytest.importorskip("pydicom")
FILES = Path(pydicom.__file__).parent / "data/test_files"


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "MR_small_RLE", "examples_overlay"])
def test_values_are_rescaled_to_their_unit(name: str) -> None:
    data = pydicom.dcmread(FILES / f"{name}.dcm")
    values = data.pixel_array * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))
    read = read_pixels(FILES / f"{name}.dcm")
    unit = bool(data.PixelRepresentation) or float(data.get("RescaleIntercept", 0)) != 0
    assert (read.values.shape, read.full == 0) == ((1, 1, data.Rows, data.Columns), unit)
    assert np.allclose(read.values[0, 0], values)
    header = read_header(FILES / f"{name}.dcm")
    assert header[:4] == (1, data.Rows, data.Columns, 1)


@pytest.mark.parametrize("name", ["SC_rgb_small_odd", "SC_rgb_rle", "SC_rgb_rle_2frame", "examples_rgb_color"])
def test_colours_come_first(name: str) -> None:
    data = pydicom.dcmread(FILES / f"{name}.dcm")
    read, header = read_pixels(FILES / f"{name}.dcm"), read_header(FILES / f"{name}.dcm")
    wanted = data.pixel_array.reshape(-1, data.Rows, data.Columns, 3)
    assert np.array_equal(np.moveaxis(read.values, 1, 3), wanted)
    assert header[:5] == (len(wanted), data.Rows, data.Columns, 3, True)
    assert header.volume == (len(wanted) > 1)


def written(path: Path, values: np.ndarray, **more: object) -> Path:
    """A DICOM file of 12 bits."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, pydicom.uid.generate_uid()
    data.Rows, data.Columns = values.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.SamplesPerPixel, data.PixelRepresentation, data.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    data.PixelData = values.astype(np.uint16).tobytes()
    for name, value in more.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_monochrome1_is_turned_round_before_it_is_rescaled(tmp_path: Path) -> None:
    values = np.array([[0, 4095], [1000, 2000]])
    plain = read_pixels(written(tmp_path / "a.dcm", values))
    turned = read_pixels(written(tmp_path / "b.dcm", values, PhotometricInterpretation="MONOCHROME1"))
    assert (plain.full, plain.values[0, 0].tolist()) == (4095, values.tolist())
    assert turned.values[0, 0].tolist() == (4095 - values).tolist()
    both = {"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2, "RescaleIntercept": -9}
    scaled = read_pixels(written(tmp_path / "c.dcm", values, **both))
    assert scaled.values[0, 0].tolist() == (2 * (4095 - values) - 9).tolist()
    assert scaled.full == 0


def test_a_file_names_its_window(tmp_path: Path) -> None:
    file = written(tmp_path / "a.dcm", np.zeros((2, 2)), WindowCenter=[40, 600], WindowWidth=[400, 1500])
    assert read_pixels(file).window == (40, 400)


@pytest.mark.parametrize("name", ["reportsi", "rtplan"])
def test_dicom_without_pixels_is_unreadable(name: str) -> None:
    for read in (read_header, read_pixels):
        with pytest.raises(UnreadableError, match="DICOM without pixels"):
            read(FILES / f"{name}.dcm")


def test_a_truncated_file_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        read_pixels(FILES / "MR_truncated.dcm")
