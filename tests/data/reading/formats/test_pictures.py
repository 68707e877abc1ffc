"""Pixels of PNG, JPEG, TIFF and BMP files equal those that they were written with, and those of other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fedmed.data.reading.formats import UnreadableError, read_header, read_pixels
from fedmed.data.reading.formats.pictures import raw

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_bytes_are_kept(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    values = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    read, header = read_pixels(tmp_path / f"a.{suffix}"), read_header(tmp_path / f"a.{suffix}")
    assert np.array_equal(read.values[0, 0] if len(shape) == 2 else np.moveaxis(read.values[0], 0, 2), values)
    assert (read.full, header[:5]) == (255, (1, 5, 7, 3 if len(shape) == 3 else 1, True))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    values = RNG.integers(0, 65536, (5, 7), dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    read = read_pixels(tmp_path / f"a.{suffix}")
    assert (read.values.dtype, read.full) == (np.uint16, 65535)
    assert np.array_equal(read.values[0, 0], values)
    assert not read_header(tmp_path / f"a.{suffix}").whole


def test_floats_and_signed_numbers_keep_their_unit(tmp_path: Path) -> None:
    for values in (RNG.normal(size=(5, 7)).astype(np.float32), RNG.integers(-1000, 1000, (5, 7)).astype(np.int32)):
        Image.fromarray(values).save(tmp_path / "a.tif")
        read = read_pixels(tmp_path / "a.tif")
        assert np.array_equal(read.values[0, 0], values)
        assert read.full == 0


def test_palettes_and_transparency_become_colours_but_for_masks(tmp_path: Path) -> None:
    values = np.array([[0, 1], [2, 1]], np.uint8)
    image = Image.fromarray(values, mode="P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.save(tmp_path / "a.png")
    assert read_pixels(tmp_path / "a.png").values[0, :, 0, 1].tolist() == [255, 0, 0]
    assert np.array_equal(raw(tmp_path / "a.png")[0], values)
    Image.fromarray(RNG.integers(0, 256, (2, 2, 4), dtype=np.uint8)).save(tmp_path / "b.png")
    assert read_pixels(tmp_path / "b.png").values.shape == (1, 3, 2, 2)


@pytest.mark.parametrize("content", [b"", b"GIF8", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableError):
        read_pixels(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["camera.png", "coins.png", "astronaut.png", "retina.jpg", "multipage.tif"])
def test_files_of_scikit_image_have_its_pixels(name: str) -> None:
    skimage = pytest.importorskip("skimage")
    from skimage.io import imread

    file = Path(skimage.__file__).parent / "data" / name
    wanted = imread(file)
    values = read_pixels(file).values
    if name == "multipage.tif":
        assert np.array_equal(values[:, 0], wanted)
    else:
        assert np.array_equal(values[0, 0] if wanted.ndim == 2 else np.moveaxis(values[0], 0, 2), wanted)
