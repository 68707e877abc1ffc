"""Images are decoded once; what is read again, or gone on with, is the same to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data import world
from fedmed.data.annotation import CompleteAnnotation
from fedmed.data.examples import Table
from fedmed.data.mapped_images import MappedImages
from fedmed.data.partition.sizes import IidPartition
from fedmed.data.reading import building, cache
from fedmed.data.shift import NoneShift, ScannerShift
from fedmed.datasets.folder import Folder
from fedmed.datasets.npz import Npz
from fedmed.errors import UserError
from tests.data.trees import halves, picture, pixels

ROWS = 24


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FEDMED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/images"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for n in range(ROWS):
        picture(tmp_path / f"set/{'abc'[n % 3]}/{n:02}.png", pixels(8))
    return tmp_path / "set"


def load(tree: Path, **options: object) -> Folder:
    return Folder(path=str(tree), cache="on", **options)


def test_the_second_read_decodes_nothing(tree: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tree).load()
    plain = Folder(path=str(tree), cache="off").load()
    monkeypatch.setattr(building, "images_of", None)
    second = load(tree).load()
    for table in (first, second):
        assert type(table.examples.x) is MappedImages
        assert torch.equal(table.examples.x.in_memory(), plain.examples.x)
        assert torch.equal(table.examples.y, plain.examples.y)
    assert type(plain.examples.x) is torch.Tensor
    assert sorted(file.name for file in next(place.iterdir()).iterdir()) == ["facts.json", "images.npy", "lock"]


def test_a_changed_file_or_option_is_another_set(tree: Path, place: Path) -> None:
    load(tree).load()
    load(tree, resize=4).load()
    changed = picture(tree / "a/00.png", pixels(8))
    assert np.array_equal(load(tree).load().examples.x[0, 0].numpy(), changed)
    assert len(list(place.iterdir())) == 3


def test_an_interrupted_build_is_gone_on_with(tree: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, decoded = building.images_of, []

    def until_the_tenth(surveyed, case, rows, reading):  # type: ignore[no-untyped-def]
        decoded.append(case)
        if len(decoded) == 10:
            raise KeyboardInterrupt
        return real(surveyed, case, rows, reading)

    monkeypatch.setattr(building, "WAIT", 0)
    monkeypatch.setattr(building, "SAVED", 1)
    monkeypatch.setattr(building, "images_of", until_the_tenth)
    with pytest.raises(KeyboardInterrupt):
        load(tree).load()
    assert not list(place.glob("*/facts.json"))
    (partial,) = place.glob("*/done.npy")
    done = np.flatnonzero(np.load(partial))
    assert len(done) >= 1
    decoded[:] = [*range(100)]
    table = load(tree).load()
    assert not set(decoded[100:]) & set(done.tolist())
    assert torch.equal(table.examples.x.in_memory(), Folder(path=str(tree), cache="off").load().examples.x)


def test_masks_and_skipped_files_are_kept_too(tmp_path: Path) -> None:
    for n in range(6):
        picture(tmp_path / f"set/images/{n}.png", pixels(8))
        if n != 2:
            picture(tmp_path / f"set/masks/{n}.png", np.roll(halves(), n, 0))
    (tmp_path / "set/images/4.png").write_bytes((tmp_path / "set/images/4.png").read_bytes()[:60])
    plain = Folder(path=str(tmp_path / "set"), cache="off", on_error="skip").load()
    for _ in range(2):
        table = load(tmp_path / "set", on_error="skip").load()
        assert torch.equal(table.examples.x.in_memory(), plain.examples.x)
        assert torch.equal(table.examples.y, plain.examples.y)
        assert torch.equal(table.examples.seen, plain.examples.seen)
        assert len(table) == 5


def test_small_sets_stay_in_memory_unless_asked(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(Folder(path=str(tree)).load().examples.x) is torch.Tensor
    monkeypatch.setattr(cache, "LARGE", 100)
    assert type(Folder(path=str(tree)).load().examples.x) is MappedImages


def test_without_room_it_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(UserError, match="set FEDMED_CACHE to a folder on a larger disk"):
        load(tree).load()


def build(dataset: object, shift: object) -> world.World:
    return world.build_world(
        dataset,  # type: ignore[arg-type]
        partition=IidPartition(),
        annotation=CompleteAnnotation(),
        shift=shift,  # type: ignore[arg-type]
        clients=3,
        client_test=0.2,
        seed=1,
    )


@pytest.mark.parametrize("shift", [NoneShift(), ScannerShift()])
def test_a_world_on_disk_is_that_in_memory(tree: Path, tmp_path: Path, shift: object) -> None:
    plain = Folder(path=str(tree), cache="off").load().examples
    np.savez(tmp_path / "same.npz", images=plain.x[:, 0].numpy(), labels=plain.y.numpy())
    mapped, memory = build(load(tree), shift), build(Npz(path=str(tmp_path / "same.npz")), shift)
    assert mapped.fingerprint == memory.fingerprint
    assert torch.equal(mapped.normalise.scale, memory.normalise.scale)
    for one, other in zip(mapped.shares, memory.shares, strict=True):
        for part in ("train", "val", "test"):
            assert torch.equal(getattr(one, part).x[:], getattr(other, part).x)
            assert torch.equal(getattr(one, part).y, getattr(other, part).y)
    assert (type(mapped.shares[0].train.x) is MappedImages) == isinstance(shift, NoneShift)


def test_spacing_stays_with_images_on_disk(tree: Path) -> None:
    class Spaced(Folder):
        def load(self) -> Table:
            table = super().load()
            return replace(table, spacing=np.full((len(table), 2), 0.5))

    made = build(Spaced(path=str(tree), cache="on"), NoneShift())
    assert type(made.shares[0].train.x) is MappedImages
    assert made.test.spacing is not None
    assert made.test.spacing.unique().tolist() == [0.5]
