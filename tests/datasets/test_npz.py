import numpy as np
import pytest
import torch

from fedmed.datasets.npz import Npz

RNG = np.random.default_rng(0)


def grey(n=6, side=8):
    return RNG.integers(0, 256, (n, side, side), dtype=np.uint8)


def labels(n=6, classes=3):
    return np.arange(n, dtype=np.uint8)[:, None] % classes


def test_six_medmnist_arrays(load):
    arrays = {f"{split}_images": grey(n) for split, n in (("train", 6), ("val", 2), ("test", 3))}
    arrays |= {f"{split}_labels": labels(n) for split, n in (("train", 6), ("val", 2), ("test", 3))}
    table = load(**arrays)
    assert (table.task, table.classes) == ("multiclass", 3)
    assert table.split.tolist() == [0] * 6 + [1] * 2 + [2] * 3
    assert table.split.dtype == np.int8
    assert table.examples.x.shape == (11, 1, 8, 8)
    assert table.examples.x.is_contiguous()
    assert torch.equal(table.examples.x[6:8, 0], torch.from_numpy(arrays["val_images"]))
    assert table.examples.y.dtype == torch.int64
    assert table.examples.y.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 0, 1, 2]
    assert table.examples.seen is None
    assert table.site is None


def test_a_missing_split_stays_missing(load):
    table = load(train_images=grey(), train_labels=labels(), test_images=grey(), test_labels=labels())
    assert sorted(set(table.split)) == [0, 2]


def test_one_table_without_splits(load):
    assert load(images=grey(), labels=labels()).split is None


def test_one_table_with_splits_sites_and_patients(load):
    table = load(
        {"patients": "shared"},
        images=grey(),
        labels=labels()[:, 0],
        splits=np.array([0, 0, 1, 1, 2, 2]),
        sites=np.array(["Ulm", "Bonn", "Ulm", "Bonn", "Ulm", "Bonn"]),
        patients=np.array([70, 9, 70, 12, 9, 9]),
    )
    assert table.split.tolist() == [0, 0, 1, 1, 2, 2]
    assert (table.site.tolist(), table.site_names) == ([1, 0, 1, 0, 1, 0], ("Bonn", "Ulm"))
    assert table.patient.tolist() == [2, 0, 2, 1, 0, 0]
    assert table.site.dtype == table.patient.dtype == np.int64


def test_site_numbers_with_gaps_are_closed_and_kept_as_names(load):
    table = load(images=grey(), labels=labels(), sites=np.array([7, 3, 7, 3, 20, 3], np.uint8))
    assert (table.site.tolist(), table.site_names) == ([1, 0, 1, 0, 2, 0], ("3", "7", "20"))


def test_a_pair_per_site_in_order_of_appearance(load):
    table = load(west_images=grey(2), west_labels=labels(2), east_wing_images=grey(3), east_wing_labels=labels(3))
    assert (table.site.tolist(), table.site_names) == ([0, 0, 1, 1, 1], ("west", "east_wing"))
    assert table.split is None


def test_a_patient_in_two_parts_is_one_patient_if_the_user_says_so(load):
    arrays = {"train_images": grey(2), "train_labels": labels(2), "train_patients": np.array([5, 8])}
    arrays |= {"test_images": grey(2), "test_labels": labels(2), "test_patients": np.array([8, 2])}
    assert load({"patients": "shared"}, **arrays).patient.tolist() == [1, 2, 2, 0]


def test_a_relative_path_starts_at_the_current_folder(tmp_path, monkeypatch):
    np.savez(tmp_path / "here.npz", images=grey(), labels=labels())
    monkeypatch.chdir(tmp_path)
    assert len(Npz(path="here.npz").load()) == 6


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_pixels_become_float32_unscaled(load, dtype):
    images = RNG.normal(size=(6, 8, 8)).astype(dtype)
    x = load(images=images, labels=labels()).examples.x
    assert x.dtype == torch.float32
    assert np.array_equal(x[:, 0].numpy(), images.astype(np.float32))


def test_colour_and_one_channel_go_first_and_lie_contiguous(load):
    colour = RNG.integers(0, 256, (6, 8, 9, 3), dtype=np.uint8)
    x = load(images=colour, labels=labels()).examples.x
    assert x.is_contiguous()
    assert np.array_equal(x.numpy(), colour.transpose(0, 3, 1, 2))
    assert load(images=colour[..., :1], labels=labels()).examples.x.shape == (6, 1, 8, 9)


def test_other_integers_are_taken_where_they_fit(load, refused):
    images = grey().astype(np.int64)
    assert load(images=images, labels=labels()).examples.x.dtype == torch.uint8
    refused(
        "images: expected uint8.*int64 from 0 to 4095.*Scale",
        images=np.full((6, 8, 8), [4095] + 7 * [0]),
        labels=labels(),
    )


def test_two_values_are_two_classes(load):
    table = load(images=grey(), labels=labels(classes=2).astype(bool))
    assert (table.task, table.classes) == ("multiclass", 2)


def test_several_columns_are_findings(load):
    y = RNG.integers(0, 2, (6, 4))
    table = load(images=grey(), labels=y)
    assert (table.task, table.classes) == ("multilabel", 4)
    assert table.examples.y.dtype == torch.float32
    assert np.array_equal(table.examples.y.numpy(), y)


def test_one_column_is_one_finding_if_asked(load):
    table = load({"task": "multilabel"}, images=grey(), labels=labels(classes=2))
    assert (table.task, table.classes, tuple(table.examples.y.shape)) == ("multilabel", 1, (6, 1))


def test_masks_of_several_classes(load):
    masks = RNG.integers(0, 4, (6, 8, 8), dtype=np.int64)
    masks[0, 0, 0] = 3
    table = load(images=grey(), masks=masks)
    assert (table.task, table.classes) == ("segmentation", 4)
    assert table.examples.y.dtype == torch.uint8
    assert np.array_equal(table.examples.y.numpy(), masks)


@pytest.mark.parametrize("form", [lambda m: m * 255, lambda m: m.astype(bool), lambda m: m[..., None] * 1.0])
def test_binary_masks_of_every_form_become_0_and_1(load, form):
    masks = RNG.integers(0, 2, (4, 8, 8), dtype=np.uint8)
    masks[:2] = 0  # the parts are judged together: one of them is empty
    arrays = {
        "train_images": grey(2),
        "train_masks": form(masks[:2]),
        "test_images": grey(2),
        "test_masks": form(masks[2:]),
    }
    table = load(**arrays)
    assert table.classes == 2
    assert np.array_equal(table.examples.y.numpy(), masks)


def test_rows_without_a_mask_are_not_annotated_rather_than_empty(load):
    masks = np.ones((6, 8, 8), np.float32)
    masks[3:] = np.nan
    has = np.array([True, True, False, False, False, False])
    examples = load(images=grey(), masks=masks, has_mask=np.array([1, 1, 1, 0, 0, 0])).examples
    assert examples.seen.tolist() == [[[True]]] * 3 + [[[False]]] * 3
    assert examples.y[:3].all()
    assert not examples.y[3:].any()
    assert load(images=grey(), masks=masks, has_mask=has).examples.seen.sum() == 2
    assert load(images=grey(), masks=np.eye(8, dtype=int)[None].repeat(6, 0), has_mask=np.ones(6)).examples.seen is None


def test_labels_come_first_and_either_can_be_asked_for(load):
    arrays = {"images": grey(), "labels": labels(), "masks": grey() % 5}
    assert load(**arrays).task == "multiclass"
    assert load({"target": "masks"}, **arrays).task == "segmentation"
    assert load({"task": "segmentation"}, **arrays).task == "segmentation"


FILES = {
    "breast_us/breast_us_128": ("multiclass", 3, (780, 1, 128, 128)),
    "breastmnist/breastmnist": ("multiclass", 2, (780, 1, 28, 28)),
    "digits5/digits5": ("multiclass", 10, (3000, 3, 28, 28)),
    "digits/digits": ("multiclass", 10, (11797, 1, 28, 28)),
    "mednist/mednist": ("multiclass", 6, (12000, 1, 28, 28)),
    "mednist/mednist_64": ("multiclass", 6, (6000, 1, 64, 64)),
    "nihchest/nihchest_64": ("multilabel", 14, (1000, 1, 64, 64)),
    "nuclei/nuclei_128": ("segmentation", 2, (637, 3, 128, 128)),
    "wbc/wbc_64": ("multiclass", 5, (741, 3, 64, 64)),
}


@pytest.mark.parametrize("name", FILES)
def test_real_files_load(shared_data, name):
    table = Npz(path=str(shared_data / f"{name}.npz")).load()
    assert (table.task, table.classes, tuple(table.examples.x.shape)) == FILES[name]
    assert (table.split is None) == (name.split("/")[0] in ("digits", "digits5", "nuclei", "wbc"))


def test_masks_of_two_of_three_laboratories(shared_data):
    table = Npz(path=str(shared_data / "wbc/wbc_64.npz"), target="masks").load()
    assert (table.task, table.classes) == ("segmentation", 3)
    assert np.array_equal(table.examples.seen.flatten().numpy(), table.site < 2)


def test_patients_of_the_chest_images(shared_data):
    table = Npz(path=str(shared_data / "nihchest/nihchest_64.npz")).load()
    assert len(set(table.patient)) == 264
    train, test = (set(table.patient[table.split == part]) for part in (0, 2))
    assert not train & test


def test_single_label_images_become_multilabel_mosaics(load):
    table = load({"mosaic": 2}, images=grey(8, 4), labels=labels(8))
    assert table.task == "multilabel"
    assert table.examples.x.shape == (4, 1, 8, 8)
    assert table.examples.y.shape == (4, 3)
