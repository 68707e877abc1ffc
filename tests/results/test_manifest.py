from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.results.manifest import Manifest, read_file, read_manifest, write_manifest


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    manifest = Manifest(
        round=3, model="m", server="s", clients={"0": "c"}, files={"m": 2, "s": 0, "c": 1}, progress={"best": 0.1}
    )
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_none_before_the_first_commit(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def test_a_file_must_have_the_size_it_was_written_with(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"12")
    assert read_file(tmp_path, Manifest(files={"m": 2}), "m") == b"12"
    with pytest.raises(UserError, match="expected 3 bytes, got 2"):
        read_file(tmp_path, Manifest(files={"m": 3}), "m")
