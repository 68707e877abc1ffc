from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.report.images.collection import ImageCell, ImageGrid, SharedImages, arm_images
from fedmed.report.images.grids import image_grids
from fedmed.rundir.kept_images import NAME, ImagePanel, KeptImages, save

X = np.random.default_rng(0).integers(0, 255, (2, 1, 6, 6)).astype(np.uint8)


def comparison(folder: Path, **arms: KeptImages) -> Comparison:
    runs = {}
    for arm, shown in arms.items():
        (folder / arm).mkdir()
        save(shown, folder / arm)
        runs["w", arm, 0] = ComparedRun(path=folder / arm, seed=0, config={}, final={})
    return Comparison(worlds=("w",), arms=tuple(arms), seeds=(0,), runs=runs, metric="dice", reference=next(iter(arms)))


def boards(compared: Comparison) -> list[ImageGrid]:
    found = arm_images(compared, "w", [])
    assert found is not None
    return list(image_grids(found, SharedImages()))


def texts(cell: ImageCell) -> tuple[str, ...]:
    return tuple(word.text.replace("\N{NO-BREAK SPACE}", " ") for word in cell.words)


def first(board: ImageGrid) -> dict[str, tuple[str, ...]]:
    """What stands below the first image, by view."""
    return {" ".join(filter(None, (row.name, row.aside))): texts(row.cells[0]) for row in board.rows}


def masks(*columns: int) -> np.ndarray:
    found = np.zeros((2, 6, 6), np.uint8)
    found[:, 1:4, list(columns)] = 1
    return found


def segmented(*columns: int, corrected: tuple[int, ...] | None = None) -> KeptImages:
    test = ImagePanel(index=np.arange(2), x=X, truth=masks(1, 2), predicted=masks(*columns))
    given = {"given": masks(1), "corrected": None if corrected is None else masks(*corrected)}
    training = ImagePanel(index=np.arange(2), x=X, truth=masks(1, 2), client=np.array([4, 4]), **given)
    return KeptImages(kind="segmentation", names=("background", "lesion"), test=test, training=training)


def test_predictions_stand_beside_the_truth_with_their_dice(tmp_path: Path) -> None:
    test, annotation = boards(comparison(tmp_path, fedavg=segmented(1), fedia=segmented(1, 2, corrected=(1, 2))))
    assert first(test) == {"image": (), "truth": (), "fedavg": ("0.67",), "fedia": ("1.00",)}
    assert [kind for kind, _ in test.rows[2].cells[0].lines] == ["truth", "ours"]
    assert {row.cells[0].image for row in test.rows} == {0}, "one image, shown several times"
    assert first(annotation) == {
        "image": (),
        "truth": (),
        "as annotated": ("50 %",),
        "fedia as corrected": ("100 %",),
    }
    assert annotation.columns == ["client 4", "client 4"]


def classified(*p: tuple[float, float]) -> KeptImages:
    predicted = np.array(p, np.float16)
    test = ImagePanel(index=np.arange(2), x=X, truth=np.array([0, 1]), predicted=predicted)
    wrong = ImagePanel(index=np.arange(1), x=X[:1], truth=np.array([0]), predicted=predicted[1:])
    return KeptImages(kind="multiclass", names=("cat", "dog"), test=test, mistakes=wrong)


def test_classes_are_told_right_or_wrong(tmp_path: Path) -> None:
    mistakes, same = boards(comparison(tmp_path, fedavg=classified((0.9, 0.1), (0.75, 0.25))))
    assert first(mistakes) == {"fedavg": ("cat, 75 %", "truth: cat")}
    assert first(same) == {"image": (), "truth": ("cat",), "fedavg": ("cat, 90 %",)}
    assert [cell.words[0].right for cell in same.rows[2].cells] == [True, False]


def test_findings_that_were_not_annotated_are_counted(tmp_path: Path) -> None:
    training = ImagePanel(
        index=np.arange(2),
        x=X,
        truth=np.eye(2),
        given=np.array([[1.0, 0], [0, 0]]),
        given_seen=np.array([[True, True], [True, False]]),
        corrected=np.array([[1.0, 0], [0, 1]]),
        corrected_seen=np.ones((2, 2), bool),
        client=np.array([0, 1]),
    )
    (board,) = boards(comparison(tmp_path, fedmlp=KeptImages(kind="multilabel", names=("a", "b"), training=training)))
    words = [texts(row.cells[1]) for row in board.rows]
    assert words == [(), ("b",), ("none", "1 of 2 not annotated"), ("b",)]


def test_other_images_are_not_put_side_by_side(tmp_path: Path) -> None:
    other = classified((0.9, 0.1), (0.2, 0.8))
    assert other.test is not None
    moved = ImagePanel(index=other.test.index, x=X[::-1], truth=other.test.truth, predicted=other.test.predicted)
    compared = comparison(
        tmp_path, a=classified((0.9, 0.1), (0.2, 0.8)), b=KeptImages(kind="multiclass", names=(), test=moved)
    )
    assert [row.name for row in boards(compared)[1].rows] == ["image", "truth", "a"]


def test_a_model_that_is_a_clients_is_said_to_be(tmp_path: Path) -> None:
    own = classified((0.9, 0.1), (0.2, 0.8))
    shown = KeptImages(kind="multiclass", names=own.names, client=0, test=own.test)
    (same,) = boards(comparison(tmp_path, local=shown))
    assert same.rows[2][2:] == ("client 0's model", "local")


@pytest.mark.parametrize("damaged", [True, False])
def test_what_is_damaged_is_noted_and_what_is_missing_is_not(damaged: bool, tmp_path: Path) -> None:
    compared = comparison(tmp_path, a=classified((0.9, 0.1), (0.2, 0.8)), b=classified((0.9, 0.1), (0.2, 0.8)))
    path = tmp_path / "b" / NAME
    path.write_bytes(b"") if damaged else path.unlink()
    notes: list[str] = []
    found = arm_images(compared, "w", notes)
    assert found is not None
    assert list(found.arms) == ["a"]
    assert [str(path) in note for note in notes] == ([True] if damaged else [])


def test_findings_are_right_wrong_or_missed(tmp_path: Path) -> None:
    predicted = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], np.float16)
    test = ImagePanel(index=np.arange(2), x=X, truth=np.array([[1, 0, 1], [0, 0, 0]]), predicted=predicted)
    wrong = ImagePanel(index=np.arange(1), x=X[:1], truth=test.truth[:1], predicted=predicted[:1])
    shown = KeptImages(kind="multilabel", names=("a", "b", "c"), test=test, mistakes=wrong)
    mistakes, same = boards(comparison(tmp_path, fedavg=shown))
    cell, nothing = same.rows[2].cells
    assert texts(cell) == ("a, 90 %", "b, 80 %", "missed: c")
    assert [word.right for word in cell.words] == [True, False, False]
    assert nothing.words == (("none", True),)
    assert first(mistakes) == {"fedavg": ("c, 10 %", "truth: present")}


def test_slices_of_volumes_say_which_they_are(tmp_path: Path) -> None:
    test = ImagePanel(index=np.arange(2), x=X, truth=X[:, 0] > 0, predicted=X[:, 0] > 0, slices=np.array([3, 0]))
    (same,) = boards(comparison(tmp_path, fedavg=KeptImages(kind="segmentation", names=("a", "b"), test=test)))
    assert same.columns == ["slice 4", "slice 1"]
    assert same.note.endswith("Of each volume, the slice that shows most of its mask across its first axis.")
