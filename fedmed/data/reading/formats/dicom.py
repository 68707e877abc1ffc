"""DICOM, by pydicom: rescaled to its unit, MONOCHROME1 the right way round."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fedmed.data.reading.formats.contract import Axis, Header, Pixels, UnreadableError


def header(path: Path, axis: Axis) -> Header:
    """Size, frames and type, without the pixels."""
    data = _pydicom().dcmread(path, stop_before_pixels=True)
    if "Rows" not in data:
        raise UnreadableError("DICOM without pixels", "Leave it out; reports and plans have none.")
    frames = int(data.get("NumberOfFrames") or 1)
    whole = data.BitsAllocated == 8 and not _has_unit(data)
    return Header(frames, data.Rows, data.Columns, 3 if data.SamplesPerPixel > 1 else 1, whole, frames > 1)


def pixels(path: Path, axis: Axis, frame: int | None) -> Pixels:
    """All frames as slices."""
    data = _pydicom().dcmread(path)
    if "PixelData" not in data:
        raise UnreadableError("DICOM without pixels", "Leave it out; reports and plans have none.")
    values: NDArray[Any] = data.pixel_array
    colour = data.SamplesPerPixel > 1
    frames = values.reshape(-1, *values.shape[-3:]) if colour else values.reshape(-1, 1, *values.shape[-2:])
    values = np.moveaxis(frames, 3, 1) if colour else frames
    if colour and data.PhotometricInterpretation.startswith("YBR"):
        convert = import_module("pydicom.pixels").convert_color_space
        values = np.moveaxis(convert(np.moveaxis(values, 1, 3), data.PhotometricInterpretation, "RGB"), 3, 1)
    low, high = _stored(data)
    if data.PhotometricInterpretation == "MONOCHROME1":
        values = (low + high - values.astype(np.int32)).astype(values.dtype)
    if _has_unit(data):
        values = values * np.float32(data.get("RescaleSlope", 1)) + np.float32(data.get("RescaleIntercept", 0))
        return Pixels(values, 0, _window(data))
    return Pixels(values, high, _window(data))


def _pydicom() -> Any:
    try:
        return import_module("pydicom")
    except ImportError as error:
        fix = "Install what reads it: pip install 'fedmed-sim[dicom]'."
        raise UnreadableError("DICOM, and pydicom is not installed", fix) from error


def _has_unit(data: Any) -> bool:
    """Whether values mean something by themselves, as Hounsfield units do: signed or rescaled ones."""
    rescaled = float(data.get("RescaleSlope", 1)) != 1 or float(data.get("RescaleIntercept", 0)) != 0
    return rescaled or bool(data.get("PixelRepresentation", 0))


def _stored(data: Any) -> tuple[int, int]:
    """The least and the greatest value that the bits can hold."""
    bits = int(data.BitsStored)
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if data.get("PixelRepresentation", 0) else (0, (1 << bits) - 1)


def _window(data: Any) -> tuple[float, float] | None:
    """The first window of the file."""
    centre, width = data.get("WindowCenter"), data.get("WindowWidth")
    if centre is None or width is None:
        return None
    first = [
        value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value for value in (centre, width)
    ]
    return float(first[0]), float(first[1])
