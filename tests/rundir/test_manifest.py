import json
from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.rundir.manifest import Manifest, read_file, read_manifest, write_manifest


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    manifest = Manifest(
        round=3,
        model="model_3.safetensors",
        server="server_3.pt",
        clients={"0": "client_0_2.pt"},
        files={"model_3.safetensors": 2, "server_3.pt": 0, "client_0_2.pt": 1},
        digests={"model_3.safetensors": "ab"},
        progress={"best": 0.1},
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


@pytest.mark.parametrize("place", ["model", "server", "clients", "files", "digests"])
@pytest.mark.parametrize("name", ["../mine.pt", "/etc/passwd", "a/model_1.pt", "..", "", "checkpoint.json", 3, None])
def test_a_manifest_names_checkpoints_in_its_folder_only(tmp_path: Path, place: str, name: object) -> None:
    found: dict[str, object] = {"format": 1, "round": 1, "model": "model_1.safetensors", "server": "server_1.pt"}
    values = {"clients": {"0": name}, "files": {str(name): 1}, "digests": {str(name): "ab"}}
    (tmp_path / "checkpoint.json").write_text(json.dumps(found | {place: values.get(place, name)}), encoding="utf-8")
    with pytest.raises(UserError, match=r"checkpoint\.json: expected"):
        read_manifest(tmp_path)
