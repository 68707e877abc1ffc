"""Labels of another array of the file: who trains on them, what is unseen, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data.annotation import ArrayAnnotation
from fedmed.data.partition import IidPartition
from fedmed.data.shift import NoneShift
from fedmed.data.world import World, build_world
from fedmed.datasets.npz import Npz
from fedmed.datasets.synthetic_segmentation import SyntheticSegmentation
from fedmed.errors import UserError


def _file(folder: Path, **arrays: np.ndarray) -> str:
    path = folder / "images.npz"
    np.savez(path, **arrays)
    return str(path)


def _masks(folder: Path, scribbles: np.ndarray | None = None) -> str:
    rng = np.random.default_rng(0)
    masks = np.repeat(np.repeat(rng.integers(0, 2, (24, 4, 4)), 4, 1), 4, 2).astype(np.uint8)
    given = np.where(rng.random(masks.shape) < 0.3, masks, 255).astype(np.uint8) if scribbles is None else scribbles
    return _file(folder, images=rng.integers(0, 255, (24, 16, 16)).astype(np.uint8), masks=masks, scribbles=given)


def _world(dataset: object, annotation: ArrayAnnotation) -> World:
    return build_world(
        dataset,  # type: ignore[arg-type]
        partition=IidPartition(),
        annotation=annotation,
        shift=NoneShift(),
        clients=3,
        client_test=0,
        seed=0,
    )


def test_clients_train_on_scribbles_and_the_server_tests_on_masks(tmp_path: Path) -> None:
    world = _world(Npz(path=_masks(tmp_path)), ArrayAnnotation(array="scribbles", unseen=255))
    for share, audit in zip(world.shares, world.audit, strict=True):
        assert share.train.seen is not None
        assert share.train.seen.shape == share.train.y.shape
        assert 0.2 < share.train.seen.float().mean() < 0.4
        assert share.truth is not None
        assert torch.equal(share.train.y, share.truth * share.train.seen)
        assert audit.completeness == pytest.approx(0.3, abs=0.05)
    assert world.test.seen is None


def test_scribbles_are_resized_with_their_images(tmp_path: Path) -> None:
    world = _world(Npz(path=_masks(tmp_path), resize=8), ArrayAnnotation(array="scribbles", unseen=255))
    share = world.shares[0]
    assert share.train.seen is not None
    assert share.truth is not None
    assert share.train.y.shape[1:] == share.train.seen.shape[1:] == (8, 8)
    assert torch.equal(share.train.y, share.truth * share.train.seen)


def test_a_second_reader_of_classes_by_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth, images = np.array(["benign", "malignant"] * 15), rng.integers(0, 255, (30, 8, 8)).astype(np.uint8)
    reader = np.where(np.arange(30) < 6, "malignant", truth)
    path = _file(tmp_path, images=images, labels=truth, reader=reader)
    world = _world(Npz(path=path, test=0.0), ArrayAnnotation(array="reader"))
    wrong = sum(int((share.train.y != share.truth).sum()) for share in world.shares)  # type: ignore[arg-type]
    wrong += sum(int((s.val.y != (s.audit or s.val).y).sum()) for s in world.shares)
    assert wrong == 3  # of the six, those that were benign


def test_findings_of_another_reader_may_be_unknown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (30, 3))
    reader = np.where(np.arange(3) == 1, -1, truth)
    images = rng.integers(0, 255, (30, 8, 8)).astype(np.uint8)
    path = _file(tmp_path, train_images=images, train_labels=truth, train_reader=reader)
    for share in _world(Npz(path=path), ArrayAnnotation(array="reader")).shares:
        assert share.train.seen is not None
        assert share.train.seen.all(0).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (ArrayAnnotation(), "annotation.array: expected the name of labels beside the true ones"),
        (ArrayAnnotation(array="scribble"), "Did you mean scribbles?"),
        (ArrayAnnotation(array="scribbles"), "expected classes of the true labels, 2 in all, got 0, 1 and 255"),
        (ArrayAnnotation(array="images"), "expected classes of the true labels"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, annotation: ArrayAnnotation, message: str) -> None:
    with pytest.raises(UserError) as error:
        _world(Npz(path=_masks(tmp_path)), annotation)
    assert message in str(error.value)


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    path = _masks(tmp_path, np.zeros((23, 16, 16), np.uint8))
    with pytest.raises(UserError, match=r"labels of shape \(24, 16, 16\), as the true ones, got \(23, 16, 16\)"):
        _world(Npz(path=path), ArrayAnnotation(array="scribbles"))


def test_datasets_without_other_labels_and_mosaics_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a dataset that holds other labels beside the true ones"):
        _world(SyntheticSegmentation(images=12), ArrayAnnotation(array="scribbles"))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40)
    path = _file(tmp_path, images=rng.integers(0, 255, (40, 8, 8)).astype(np.uint8), labels=labels, reader=labels)
    with pytest.raises(UserError, match=r"dataset\.mosaic=null"):
        _world(Npz(path=path, mosaic=2), ArrayAnnotation(array="reader"))
