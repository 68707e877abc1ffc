import numpy as np
import pytest

from fedmed.data.examples import TEST, TRAIN, VAL
from fedmed.data.splits import draw_splits
from fedmed.errors import UserError


def draw(split=None, *, val=0.1, test=0.2, seed=0, stratum=None, patient=None, rows=None):
    return draw_splits(split, val=val, test=test, seed=seed, stratum=stratum, patient=patient, rows=rows)


def counts(split):
    return np.bincount(split, minlength=3).tolist()


def test_all_parts_are_drawn_where_there_are_none():
    split = draw(rows=100)
    assert split.dtype == np.int8
    assert counts(split) == [70, 10, 20]


def test_same_seed_same_rows_other_seed_other_rows():
    assert np.array_equal(draw(rows=100), draw(rows=100))
    assert not np.array_equal(draw(rows=100), draw(rows=100, seed=1))


def test_test_rows_do_not_depend_on_val():
    assert np.array_equal(draw(rows=100, val=0.3) == TEST, draw(rows=100, val=0.05) == TEST)


def test_classes_keep_their_proportion():
    stratum = np.repeat([0, 1, 7], [600, 300, 100])
    split = draw(stratum=stratum)
    for value, size in ((0, 600), (1, 300), (7, 100)):
        assert counts(split[stratum == value]) == [0.7 * size, 0.1 * size, 0.2 * size]


def test_rare_classes_do_not_move_the_totals():
    split = draw(stratum=np.arange(100) // 3)
    assert counts(split) == [70, 10, 20]


def test_patients_are_never_divided_and_parts_keep_their_size():
    patient = np.random.default_rng(0).integers(0, 60, 400)
    stratum = patient % 3
    split = draw(stratum=stratum, patient=patient)
    assert all(len(set(split[patient == one])) == 1 for one in range(60))
    assert np.allclose(counts(split), [280, 40, 80], atol=12)


def test_text_serves_as_patient_and_class():
    split = draw(stratum=np.array(["a", "b"] * 50), patient=np.repeat(np.arange(50).astype(str), 2))
    assert counts(split) == [70, 10, 20]


def test_missing_val_comes_from_the_training_rows():
    given = np.repeat([TRAIN, TEST], [100, 50]).astype(np.int8)
    split = draw(given)
    assert counts(split) == [90, 10, 50]
    assert np.array_equal(split == TEST, given == TEST)


def test_missing_test_comes_from_the_training_rows():
    given = np.repeat([TRAIN, VAL], [100, 50]).astype(np.int8)
    split = draw(given)
    assert counts(split) == [80, 50, 20]


def test_a_complete_split_comes_back_and_the_given_one_is_untouched():
    given = np.array([0, 1, 2, 0], np.int8)
    assert draw(given).tolist() == [0, 1, 2, 0]
    lacking = np.zeros(10, np.int8)
    draw(lacking)
    assert not lacking.any()


def test_a_fraction_of_zero_draws_no_part():
    assert counts(draw(rows=10, val=0)) == [8, 0, 2]


def test_leaving_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match="less than 1"):
        draw(rows=10, val=0.5, test=0.5)


def test_the_number_of_rows_must_be_known():
    with pytest.raises(ValueError, match="rows"):
        draw()
