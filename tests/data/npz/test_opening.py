import io
import zipfile

import numpy as np
import pytest

from fedmed.data.npz.opening import open_npz
from fedmed.errors import UserError


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "heart.npz"
    np.savez(file, images=np.arange(4000, dtype=np.uint8), labels=np.arange(3))
    return file


def read(path, key="images"):
    with open_npz(path, "dataset.path") as archive:
        return archive.read(key)


def test_arrays_are_read_in_the_order_in_which_they_were_written(path):
    with open_npz(path, "dataset.path") as archive:
        assert archive.keys == ("images", "labels")
        assert archive.read("labels").tolist() == [0, 1, 2]


def test_a_missing_file_names_near_ones(path):
    with pytest.raises(UserError, match=r"hart\.npz: no such file.*In .* there is heart\.npz\."):
        read(path.with_name("hart.npz"))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"folder .*nowhere does not exist"):
        read(tmp_path / "nowhere" / "a.npz")


def test_a_folder_without_npz_files_says_so(tmp_path):
    with pytest.raises(UserError, match="There is no npz file in"):
        read(tmp_path / "a.npz")


def test_a_folder_is_not_a_file(path):
    with pytest.raises(UserError, match=r"a folder.*heart\.npz"):
        read(path.parent)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "an empty file.*again"),
        (b"hello, world", "text.*Store images"),
        (b"\x00\x01\xfe", "another kind of file"),
        (b"\x93NUMPY\x01\x00", r"a single array \(npy\).*Store images"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image.*Store images"),
        (b"\x00" * 128 + b"DICM", "a DICOM file.*Store images"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file.*Store images"),
    ],
)
def test_another_kind_of_file_is_refused_and_told_what_to_do(tmp_path, content, got):
    file = tmp_path / "x.npz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=got) as caught:
        read(file)
    assert ("download the file again" in str(caught.value)) == ("Store images" not in str(caught.value))


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"heart\.npz: a truncated one.*again"):
        read(path)


def test_a_flipped_byte_is_found_by_its_checksum(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"images: expected an intact array, got a damaged one.*CRC"):
        read(path)


def test_a_damaged_compressed_stream_is_refused(tmp_path):
    file = tmp_path / "x.npz"
    np.savez_compressed(file, images=np.random.default_rng(0).integers(0, 99, 5000))
    content = bytearray(file.read_bytes())
    content[300:400] = b"\xff" * 100
    file.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read(file)


@pytest.mark.parametrize(("at", "value", "why"), [(8, 1, "encrypted"), (10, 97, "compression")])
def test_a_member_that_cannot_be_unpacked_is_refused(path, at, value, why):
    """Bytes 8 and 10 of a directory entry: its flags, of which the lowest says encrypted, and its way of packing."""
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x01\x02", at), (b"PK\x03\x04", at - 2)):
        start = content.find(mark)
        while start >= 0:
            content[start + place] = value
            start = content.find(mark, start + 1)
    path.write_bytes(content)
    with pytest.raises(UserError, match=why):
        read(path)


def test_a_zip_member_that_is_no_array_is_refused(tmp_path):
    file = tmp_path / "x.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00broken")
    with pytest.raises(UserError, match="images"):
        read(file)


def test_a_broken_zip_directory_is_refused(path):
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    content[directory : directory + 4] = b"XXXX"
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read(path)


def test_objects_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    file = tmp_path / "x.npz"
    buffer = io.BytesIO()
    np.savez(buffer, images=np.array([Bomb()], dtype=object))
    file.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="Python objects"):
        read(file)
