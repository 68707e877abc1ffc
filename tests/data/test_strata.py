import numpy as np
import pytest

from fedmed.data.strata import cut, rows_of, sampling_units, strata


def test_a_patient_belongs_to_the_stratum_of_most_of_its_images() -> None:
    patient = np.array([9, 4, 9, 9, 4, 4, 7, 7])
    stratum = np.array([0, 2, 1, 1, 2, 0, 3, 1])
    held = sampling_units(patient, stratum, patient == 9)
    assert held.sizes.tolist() == [3, 2, 3]  # patients 4, 7, 9
    assert held.stratum.tolist() == [2, 1, 1]
    assert held.train.tolist() == [False, False, True]
    assert held.of_row.tolist() == [2, 0, 2, 2, 0, 0, 1, 1]


def test_without_patients_every_row_is_a_unit() -> None:
    stratum = np.array([2, 0, 1])
    held = sampling_units(None, stratum, stratum > 0)
    assert held.of_row.tolist() == [0, 1, 2]
    assert held.sizes.tolist() == [1, 1, 1]
    assert held.stratum.tolist() == [2, 0, 1]


def test_classes_are_numbered_from_zero() -> None:
    assert strata(np.array([7, 3, 7, 12]), rare=0).tolist() == [1, 0, 1, 2]


def test_equal_sets_of_findings_are_one_stratum_however_many_findings() -> None:
    labels = np.random.default_rng(0).random((40, 70)) < 0.5
    twice = strata(np.concatenate([labels, labels]), rare=0)
    assert np.array_equal(twice[:40], twice[40:])
    assert len(np.unique(twice)) == 40


def test_rare_sets_join_their_rarest_finding_and_the_empty_set_none() -> None:
    labels = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [0, 1], [0, 0]], bool)
    assert strata(labels, rare=0).tolist() == [1, 1, 1, 3, 2, 0]
    assert strata(labels, rare=2).tolist() == [1, 1, 1, 2, 2, 0]


@pytest.mark.parametrize("parts", [1, 3, 7])
@pytest.mark.parametrize("size", [7, 20, 21])
def test_equal_shares_of_single_rows_differ_by_at_most_one(parts: int, size: int) -> None:
    shares = np.full((1, parts), 1 / parts)
    counts = np.bincount(cut(np.ones(size, np.int64), np.zeros(size, np.int64), shares), minlength=parts)
    assert counts.sum() == size
    assert counts.max() - counts.min() <= 1


def test_groups_are_cut_by_their_own_shares() -> None:
    group = np.array([0, 2]).repeat([10, 4])
    shares = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    part = cut(np.ones(14, np.int64), group, shares)
    assert part.tolist() == [0] * 2 + [1] * 8 + [1] * 2 + [2] * 2


def test_a_large_unit_goes_where_its_midpoint_falls() -> None:
    sizes = np.array([1, 8, 1])
    assert cut(sizes, np.zeros(3, np.int64), np.array([[0.4, 0.6]])).tolist() == [0, 1, 1]
    assert cut(sizes, np.zeros(3, np.int64), np.array([[0.6, 0.4]])).tolist() == [0, 0, 1]


def test_rows_are_sorted_and_empty_clients_stay() -> None:
    assert [rows.tolist() for rows in rows_of(np.array([2, 0, 2, 0]), 4)] == [[1, 3], [], [0, 2], []]
