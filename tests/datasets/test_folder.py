from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, Table
from fedmed.datasets.folder import Folder
from fedmed.errors import UserError
from tests.data.trees import halves, picture, pictures, pixels


def load(root: Path, **options: object) -> Table:
    return Folder(path=str(root), **options).load()


def test_class_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = picture(tmp_path / "benign/a.png")
    pictures(tmp_path, ["benign/b.png", "malignant/a.png"])
    table = load(tmp_path)
    assert (table.task, table.classes, table.class_names) == ("multiclass", 2, ("benign", "malignant"))
    assert table.examples.y.tolist() == [0, 0, 1]
    assert table.examples.x.dtype == torch.uint8
    assert torch.equal(table.examples.x[0, 0], torch.from_numpy(first))
    assert (table.site, table.split, table.patient) == (None, None, None)
    assert capsys.readouterr().err == "dataset: folders read as dataset.pattern={class}/*\n"


def test_splits_and_sites_above_classes(tmp_path: Path) -> None:
    pictures(tmp_path, [f"{s}/{h}/{c}/1.png" for s in ("Train", "test") for h in ("Ulm", "Bonn") for c in "ab"])
    table = load(tmp_path)
    assert table.site_names == ("Bonn", "Ulm")
    assert table.site.tolist() == [0, 0, 1, 1] * 2
    assert table.split.tolist() == [TRAIN] * 4 + [TEST] * 4
    assert load(tmp_path, splits="none").split is None


def test_names_of_classes_are_put_in_their_order(tmp_path: Path) -> None:
    pictures(tmp_path, ["b/1.png", "a/1.png"])
    table = load(tmp_path, names=["b", "a", "never"])
    assert (table.examples.y.tolist(), table.classes, table.class_names) == ([1, 0], 3, ("b", "a", "never"))
    with pytest.raises(UserError, match=r"labels: expected names of dataset.names, got b"):
        load(tmp_path, names=["a", "c"])


def test_a_pattern_names_site_class_and_patient(tmp_path: Path) -> None:
    pictures(tmp_path, ["Ulm/x/p1_1.png", "Ulm/x/p1_2.png", "Bonn/y/p1_1.png"])
    table = load(tmp_path, pattern="{site}/{class}/{patient}_{}.png")
    assert (table.site.tolist(), table.class_names) == ([0, 1, 1], ("x", "y"))
    assert table.patient[1] == table.patient[2] != table.patient[0]  # p1 of another site is another patient


def test_a_pattern_without_classes_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, ["ulm/a/1.png", "ulm/b/1.png"])
    with pytest.raises(UserError, match=r"a class, findings or a mask of every image, got none.*Write \{class\}"):
        load(tmp_path, pattern="{site}/{clas}/*")


def test_a_pattern_that_fits_nothing_shows_a_path(tmp_path: Path) -> None:
    pictures(tmp_path, ["Ulm/1.png"])
    with pytest.raises(UserError, match=r"A path here is Ulm/1\.png"):
        load(tmp_path, pattern="{class}/{site}/{}.png")


def test_too_many_levels_ask_for_a_pattern(tmp_path: Path) -> None:
    pictures(tmp_path, [f"{a}/{b}/{c}/1.png" for a in "ab" for b in "cd" for c in "ef"])
    with pytest.raises(UserError, match=r"Say what stands where: dataset\.pattern="):
        load(tmp_path)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{s}/images/{n}.png", "{s}/masks/{n}.png"),
        ("{s}/Image/{n}.png", "{s}/Mask/{n}.PNG"),
        ("{s}/train/ROIs/image/{n}.png", "{s}/train/ROIs/mask/{n}.png"),
        ("{s}/{n}.png", "{s}/{n}_segmentation.png"),
        ("{s}/{n}.png", "{s}/{n}_Segmentation.png"),
        ("data_{s}/images_{s}/{n}.jpg", "data_{s}/masks_{s}/{n}_mask.png"),
        ("{s}/case_{n}/imaging.png", "{s}/case_{n}/segmentation.png"),
        ("{s}/images/img_{n}.png", "{s}/labels/label_{n}.png"),
    ],
)
def test_masks_are_found_beside_images(tmp_path: Path, image: str, mask: str) -> None:
    for site in ("CVC", "ETIS"):
        for n in (1, 2):
            picture(tmp_path / image.format(s=site, n=n), pixels(colours=3))
            picture(tmp_path / mask.format(s=site, n=n), halves())
    table = load(tmp_path)
    assert (table.task, table.classes) == ("segmentation", 2)
    assert table.examples.x.shape == (4, 3, 8, 8)
    assert torch.equal(table.examples.y[3], torch.from_numpy(halves() // 255))
    assert [name[-4:].strip("_") for name in table.site_names] in (["CVC", "ETIS"], ["_CVC", "ETIS"])
    assert table.examples.seen is None


def test_an_image_without_mask_is_not_annotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path, ["Ulm/images/1.png", "Bonn/images/1.png"])
    picture(tmp_path / "Ulm/masks/1.png", halves())
    table = load(tmp_path)
    assert table.examples.seen.flatten().tolist() == [False, True]
    assert "1 images have none" in capsys.readouterr().err


def test_masks_without_images_are_refused_together(tmp_path: Path) -> None:
    pictures(tmp_path, ["images/0.png"])
    for n in range(14):
        picture(tmp_path / f"masks/{n}.png", halves())
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert len(caught.value.faults) == 11
    assert str(tmp_path / "masks/1.png") in str(caught.value)
    assert "3 more such files (13 in all)" in str(caught.value)


def test_greys_of_fundus_masks_are_mapped(tmp_path: Path) -> None:
    for domain in ("Domain1", "Domain2"):
        picture(tmp_path / domain / "train/ROIs/image/gd1.png", pixels(6, colours=3))
        picture(tmp_path / domain / "train/ROIs/mask/gd1.png", halves(6, (255, 128, 0)))
    with pytest.raises(UserError, match=r"dataset.mask_values=\[0:0,128:1,255:2\]"):
        load(tmp_path)
    table = load(tmp_path, mask_values=["0:2", "128:1", "255:0"], names=["background", "disc", "cup"])
    assert table.examples.y[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert (table.classes, table.class_names) == (3, ("background", "disc", "cup"))
    with pytest.raises(UserError, match=r"mask with 128 too. Add 128:<class>"):
        load(tmp_path, mask_values=["0:1", "255:0"])


def test_soft_edges_of_masks_are_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path, ["images/1.png"])
    picture(tmp_path / "masks/1.png", np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8))
    assert load(tmp_path).examples.y.sum() == 32
    assert "dataset.mask_threshold=127" in capsys.readouterr().err
    assert load(tmp_path, mask_threshold=200).examples.y.sum() == 14


def test_channels_come_from_several_files(tmp_path: Path) -> None:
    for case in ("FeTS_1", "FeTS_2"):
        for ending in ("flair", "t1", "t1ce", "t2"):
            picture(tmp_path / case / f"{case}_{ending}.png")
        picture(tmp_path / case / f"{case}_seg.png", halves(values=(0, 1, 2, 4)))
    channels = ["_t1", "_t1ce", "_flair"]
    table = load(tmp_path, channels=channels, mask_values=["0:0", "1:1", "2:2", "4:3"])
    assert table.examples.x.shape == (2, 3, 8, 8)
    assert table.examples.y.unique().tolist() == [0, 1, 2, 3]
    (tmp_path / "FeTS_2/FeTS_2_t1.png").unlink()
    with pytest.raises(UserError, match=r"FeTS_2.*expected 3 files, one for each of dataset.channels, got 2"):
        load(tmp_path, channels=channels)


def test_sizes_that_differ_need_a_side(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png", pixels(8, 12))
    picture(tmp_path / "b/1.png", np.full((16, 16), 7, np.uint8))
    with pytest.raises(UserError, match=r"dataset.resize: expected images of one size, got 2 sizes: 8 x 12"):
        load(tmp_path)
    assert load(tmp_path, resize=8).examples.x.shape == (2, 1, 8, 8)
    padded = load(tmp_path, resize=8, fit="pad").examples.x[0, 0]
    assert padded[0].eq(0).all()
    assert padded[4].ne(0).any()
    assert load(tmp_path, resize=8, fit="crop").examples.x[1].eq(7).all()


def test_damaged_files_are_refused_by_path_or_left_out(tmp_path: Path) -> None:
    pictures(tmp_path, [f"{c}/{n}.png" for c in "ab" for n in range(3)])
    (tmp_path / "a/0.png").write_bytes(b"nothing")
    whole = (tmp_path / "b/1.png").read_bytes()
    (tmp_path / "b/1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a/1.png").write_bytes(b"")
    with pytest.raises(UserError) as error:
        load(tmp_path)
    words = str(error.value)
    assert "a/0.png: expected a file that can be read, got cannot identify image file. Copy it again, or" in words
    assert "a/1.png: expected a file that can be read, got an empty file. Copy it again, or" in words
    pictures(tmp_path, ["a/1.png"])
    table = load(tmp_path, on_error="skip")
    assert table.examples.y.tolist() == [0, 0, 1, 1]
    assert torch.equal(table.examples.x[3], load(tmp_path, on_error="skip").examples.x[3])
    assert table.examples.x[3].any()


def test_an_empty_site_is_refused_by_path(tmp_path: Path) -> None:
    pictures(tmp_path, [f"{site}/{kind}/1.png" for site in ("Ulm", "Bonn") for kind in "ab"])
    (tmp_path / "Kiel/a").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    with pytest.raises(UserError, match=r"Kiel: expected images of a site, got none"):
        load(tmp_path)
    assert load(tmp_path, pattern="{}/{class}/{}.png").site is None


def test_what_is_no_folder_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="none in it"):
        load(tmp_path)


def test_values_that_cannot_be_are_refused_together_before_any_file_is_looked_for() -> None:
    with pytest.raises(UserError) as error:
        Folder(path="nowhere", window=(1,), mask_values=("128",), clip=(90, 10))
    assert [fault.where for fault in error.value.faults] == [
        "dataset.window",
        "dataset.window",
        "dataset.clip",
        "dataset.mask_values",
    ]
