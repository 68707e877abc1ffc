"""What the numbers of a file mean is asked where it is doubtful, and kept where it is said."""

import numpy as np
import pytest

from fedmed.data.prepare import prepare
from fedmed.datasets.npz import Npz
from fedmed.errors import UserError

RNG = np.random.default_rng(0)


def grey(n=6, side=8):
    return RNG.integers(0, 256, (n, side, side), dtype=np.uint8)


LABELS = {
    "two codes": ([10, 500, 10, 500, 10, 10], 501, ("10", "500")),
    "counted from 1": ([1, 2, 3, 1, 2, 3], 4, ("1", "2", "3")),
    "half of them never": ([0, 1, 5, 0, 1, 5], 6, ("0", "1", "5")),
    "floats": ([1.0, 2.0, 2.0, 1.0, 2.0, 1.0], 3, ("1", "2")),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_that_may_be_names_of_classes_are_asked_about(load, refused, case):
    values, numbers, names = LABELS[case]
    error = refused("labels: expected values that number the classes from 0", images=grey(), labels=np.array(values))
    assert f"dataset.values=codes for {len(names)} classes named {names[0]}" in error
    assert f"dataset.values=numbers for {numbers} classes" in error
    as_numbers = load({"values": "numbers"}, images=grey(), labels=np.array(values))
    assert (as_numbers.classes, as_numbers.class_names) == (numbers, ())
    as_codes = load({"values": "codes"}, images=grey(), labels=np.array(values))
    assert (as_codes.classes, as_codes.class_names) == (len(names), names)
    assert [names[code] for code in as_codes.examples.y] == [f"{value:g}" for value in values]


@pytest.mark.parametrize(
    "values", [[0, 1, 2, 0, 1, 2], [0, 1, 2, 3, 5, 0], [0, 1, 0, 1, 1, 0], [1] * 6, [0, 2, 1, 0, 0, 0]]
)
def test_labels_that_number_the_classes_are_taken_without_a_question(load, values):
    table = load(images=grey(), labels=np.array(values))
    assert (table.classes, table.class_names) == (max(values) + 1, ())


def test_text_names_the_classes(load):
    table = load(images=grey(), labels=np.array(["nevus", "bcc", "mel", "nevus", "nevus", "bcc"]))
    assert (table.classes, table.class_names) == (3, ("bcc", "mel", "nevus"))
    assert table.examples.y.tolist() == [2, 0, 1, 2, 2, 0]
    table = load(images=grey(), labels=np.array([b"y", b"n", b"y", b"n", b"n", b"n"]))
    assert table.class_names == ("n", "y")


def test_one_hot_labels_are_asked_about(load, refused):
    one_hot = np.eye(3)[[0, 1, 2, 2, 1, 0]]
    error = refused("exactly one 1 in every row", images=grey(), labels=one_hot)
    assert "dataset.task=multiclass" in error
    assert "dataset.task=multilabel" in error
    table = load({"task": "multiclass"}, images=grey(), labels=one_hot)
    assert (table.task, table.classes, table.examples.y.tolist()) == ("multiclass", 3, [0, 1, 2, 2, 1, 0])
    assert load({"task": "multilabel"}, images=grey(), labels=one_hot).task == "multilabel"


@pytest.mark.parametrize("unknown", [np.nan, -1])
def test_blanks_of_a_multi_label_table_are_not_annotated(load, unknown):
    values = np.array([[1, 0, unknown], [unknown, 1, 0], [0, 0, 0]] * 2)
    table = load(images=grey(), labels=values)
    assert table.task == "multilabel"
    assert table.examples.seen.tolist() == [[True, True, False], [False, True, True], [True, True, True]] * 2
    assert table.examples.y.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]] * 2


def test_a_table_without_any_annotation_and_other_values_are_refused(refused):
    refused("annotated findings, got only NaN or -1", images=grey(), labels=np.full((6, 2), np.nan))
    refused("labels 0 or 1, got values up to 2", images=grey(), labels=np.array([[0, 2]] * 6))
    refused("dataset.task=multilabel takes -1 as not annotated", images=grey(), labels=np.array([0, 1, -1, 0, 1, 0]))


def test_masks_that_may_be_grey_values_are_asked_about(load, refused):
    masks = (grey() > 99) * np.uint8(128)
    error = refused("masks: expected values that number the classes from 0, got 0 and 128", images=grey(), masks=masks)
    assert "dataset.values=codes for 2 classes named 0 and 128" in error
    assert "dataset.values=numbers for 129 mask values" in error
    table = load({"values": "codes"}, images=grey(), masks=masks)
    assert (table.classes, table.class_names) == (2, ("0", "128"))
    assert np.array_equal(table.examples.y, masks // 128)
    assert load({"values": "numbers"}, images=grey(), masks=masks).classes == 129
    assert load(images=grey(), masks=masks // 128 * 255).classes == 2
    void = load({"values": "codes"}, images=grey(), masks=RNG.choice(np.array([0, 1, 255]), (6, 8, 8)))
    assert void.class_names == ("0", "1", "255")


@pytest.mark.parametrize(
    ("sites", "held_out", "rows"),
    [
        ([1, 2, 3, 1, 2, 3], 1, [0, 3]),
        ([1, 2, 3, 1, 2, 3], "3", [2, 5]),
        ([1.0, 2.0, 7.0, 1.0, 2.0, 7.0], 7, [2, 5]),
        (["Berlin", "Ulm", "Bonn"] * 2, "Berlin", [0, 3]),
        ([b"07", b"12", b"3"] * 2, "07", [0, 3]),
    ],
)
def test_the_held_out_site_is_the_one_that_the_file_calls_so(tmp_path, sites, held_out, rows):
    np.savez(tmp_path / "own.npz", images=grey(), labels=np.array([0, 1] * 3), sites=np.array(sites))
    table = prepare(Npz(path=str(tmp_path / "own.npz"), held_out_site=held_out, val=0.0))
    assert np.flatnonzero(table.split == 2).tolist() == rows


def test_a_held_out_site_that_is_not_there_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "own.npz", images=grey(), labels=np.array([0, 1] * 3), sites=np.array(["Berlin", "Ulm"] * 3))
    for wrong in (0, "Berlim"):
        with pytest.raises(UserError, match="Berlin"):
            prepare(Npz(path=str(tmp_path / "own.npz"), held_out_site=wrong))


def test_sites_that_are_missing_or_named_like_a_summary_are_refused(refused):
    base = {"images": grey(), "labels": np.array([0, 1] * 3)}
    refused("a site for every image, got none in 1 rows", **base, sites=np.array([0, 1, np.nan, 0, 1, 0]))
    refused("a site for every image, got none in 3 rows", **base, sites=np.array(["a", ""] * 3))
    refused("kept for metrics over all sites", **base, sites=np.array(["mean", "b"] * 3))


PAIRS = {
    f"{site}_{column}": make()
    for site in ("ulm", "bonn")
    for column, make in (
        ("images", grey),
        ("labels", lambda: np.array([0, 1] * 3)),
        ("patients", lambda: np.arange(6) // 2),
    )
}


@pytest.mark.parametrize(
    "arrays", [PAIRS, {**PAIRS, "ulm_patients": np.array(list("aabbcc")), "bonn_patients": np.array(list("xaaabb"))}]
)
def test_patients_that_recur_at_another_site_are_asked_about(load, refused, arrays):
    error = refused("recur", **arrays)
    assert "dataset.patients=separate" in error
    assert "dataset.patients=shared" in error
    separate = load({"patients": "separate"}, **arrays).patient
    assert not set(separate[:6]) & set(separate[6:])
    assert len(set(separate)) == 6
    assert len(set(load({"patients": "shared"}, **arrays).patient)) < 6


def test_patients_of_one_table_are_asked_about_where_they_recur_at_other_sites(load, refused):
    base = {"images": grey(), "labels": np.array([0, 1] * 3), "sites": np.array([1, 1, 1, 2, 2, 2])}
    refused("recur", **base, patients=np.array([0, 0, 1, 0, 1, 1]))
    assert load(**base, patients=np.array([0, 0, 1, 2, 3, 3])).patient.tolist() == [0, 0, 1, 2, 3, 3]


def test_splits_may_be_words_and_only_zero_and_one_is_asked_about(load, refused):
    base = {"images": grey(), "labels": np.array([0, 1] * 3)}
    words = np.array(["train", "train", "val", "test", "train", "test"])
    assert load(**base, splits=words).split.tolist() == [0, 0, 1, 2, 0, 2]
    refused("only 0 and 1", **base, splits=np.array([0, 0, 0, 0, 1, 1]))
    refused("got False", **base, splits=np.array([False, True] * 3))


def test_attributes_are_read_beside_the_images_in_every_layout(load):
    table = load(images=grey(), labels=np.arange(6) % 2, attribute_sex=np.array(["F", "", "M", "M", "F", "F"]))
    assert table.attributes["sex"].names == ("F", "M")
    assert table.attributes["sex"].codes.tolist() == [0, -1, 1, 1, 0, 0]
    parts = {f"{split}_{what}": values for split in ("train", "test") for what, values in PART.items()}
    assert load(**parts).attributes["age_at_scan"].codes.tolist() == [1, 0, -1, 1, 0, -1]
    sites = {f"{site}_{what}": values for site in ("Bern", "Rome") for what, values in PART.items()}
    assert load(**sites).attributes["age_at_scan"].names == ("30", "41")


PART = {"images": grey(3), "labels": np.array([0, 1, 1]), "attribute_age_at_scan": np.array([41.0, 30.0, np.nan])}


def test_attributes_that_belong_to_no_images_or_only_to_some_are_refused(refused):
    both = {f"{split}_{what}": values for split in ("train", "test") for what, values in PART.items()}
    one = {key: values for key, values in both.items() if key != "test_attribute_age_at_scan"}
    assert "train_attribute_age_at_scan" in refused("attribute_age_at_scan for test_images too, got none", **one)
    plain = {"images": grey(), "labels": np.arange(6) % 2}
    refused("expected images beside other_attribute_sex", **plain, other_attribute_sex=np.arange(6))
    assert "Did you mean attribute_sex?" in refused("a known name", **plain, attributes_sex=np.arange(6))
    refused("one row per image, got 5 for 6 in images", **plain, attribute_sex=np.arange(5))
    refused("one value per image, got shape", **plain, attribute_sex=np.zeros((6, 2)))
