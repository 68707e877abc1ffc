from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, UNUSED, VAL
from fedmed.data.prepare import prepare, presence
from fedmed.errors import UserError
from tests.data.tables import Given, table

SITE = np.arange(240) % 3


def count(split: np.ndarray) -> dict[int, int]:
    return {part: int((split == part).sum()) for part in (TRAIN, VAL, TEST, UNUSED)}


def test_missing_parts_are_drawn_by_the_fractions_asked_for() -> None:
    split = prepare(Given(table=table(), val=0.1, test=0.25)).split
    assert count(split) == {TRAIN: 156, VAL: 24, TEST: 60, UNUSED: 0}


def test_a_split_of_the_file_is_kept() -> None:
    given = np.repeat(np.array([TRAIN, VAL, TEST], np.int8), 80)
    assert prepare(Given(table=table(split=given))).split.tolist() == given.tolist()


def test_drawn_parts_keep_the_classes_in_proportion_and_depend_on_split_seed_alone() -> None:
    made = table()
    splits = [prepare(Given(table=made, split_seed=seed)).split for seed in (0, 0, 1)]
    assert np.array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])
    assert np.bincount(made.examples.y.numpy()[splits[0] == TEST]).tolist() == [12] * 4


def test_patients_are_never_divided_between_parts() -> None:
    patient = np.arange(240) // 5
    split = prepare(Given(table=table(patient=patient))).split
    assert all(len(set(split[patient == p].tolist())) == 1 for p in range(48))
    assert min(count(split)[part] for part in (TRAIN, VAL, TEST)) > 0


def test_a_held_out_site_is_the_whole_test_set() -> None:
    made = table(site=SITE)
    split = prepare(Given(table=made, held_out_site=1)).split
    assert (split[SITE == 1] == TEST).all()
    assert not (split[SITE != 1] == TEST).any()
    usual = prepare(Given(table=made)).split
    others = SITE != 1
    assert (split[others & (usual == TEST)] == UNUSED).all()
    assert np.array_equal(split[others & (usual != TEST)], usual[others & (usual != TEST)])


@pytest.mark.parametrize("given", [[10, "site 12"], ["10", 12], (12, 10)])
def test_several_held_out_sites_are_the_test_set_together(given: list[str | int]) -> None:
    site = SITE + 10
    split = prepare(Given(table=table(site=site), held_out_site=given)).split
    assert ((split == TEST) == (site != 11)).all()
    assert (split[site == 11] == TRAIN).any()


def test_every_site_of_a_list_that_is_not_there_is_named_with_its_near_misses() -> None:
    made = table(site=SITE, site_names=("Bern", "Paris", "Rome"))
    with pytest.raises(UserError) as caught:
        prepare(Given(table=made, held_out_site=["Berm", "Rome", "Pariss"]))
    assert [fault.fix for fault in caught.value.faults] == ["Did you mean Bern?", "Did you mean Paris?"]
    with pytest.raises(UserError, match="expected training images at other sites, got none"):
        prepare(Given(table=made, held_out_site=["Bern", "Paris", "Rome"]))
    with pytest.raises(UserError, match=r"dataset\.held_out_site: expected a site, several, or null"):
        Given(table=made, held_out_site=[])


@pytest.mark.parametrize("site", [SITE, None], ids=["sites", "no sites"])
def test_a_site_that_is_not_there_cannot_be_held_out(site: np.ndarray | None) -> None:
    with pytest.raises(UserError, match=r"dataset\.held_out_site: expected .*, got 7"):
        prepare(Given(table=table(site=site), held_out_site=7))


def test_the_only_training_site_cannot_be_held_out() -> None:
    split = np.where(SITE == 0, TRAIN, TEST).astype(np.int8)
    with pytest.raises(UserError, match="training images at other sites"):
        prepare(Given(table=table(site=SITE, split=split), held_out_site=0))


def test_a_long_tail_falls_geometrically_by_the_factor() -> None:
    made = table()
    split = prepare(Given(table=made, imbalance_factor=8.0)).split
    labels = made.examples.y.numpy()
    whole = np.bincount(labels[prepare(Given(table=made)).split == TRAIN])
    largest = whole.max()
    assert sorted(np.bincount(labels[split == TRAIN]), reverse=True) == [
        int(largest * 8 ** (-rank / 3) + 0.5) for rank in range(4)
    ]


def test_a_long_tail_leaves_validation_and_test_as_they_are_and_keeps_every_class() -> None:
    made = table()
    plain, tailed = (prepare(Given(table=made, imbalance_factor=factor)).split for factor in (1.0, 1000.0))
    assert np.array_equal(plain == TEST, tailed == TEST)
    assert np.array_equal(plain == VAL, tailed == VAL)
    assert set(np.flatnonzero(tailed == TRAIN)) < set(np.flatnonzero(plain == TRAIN))
    assert np.bincount(made.examples.y.numpy()[tailed == TRAIN], minlength=4).min() >= 1


@pytest.mark.parametrize("task", ["multilabel", "segmentation"])
def test_a_long_tail_needs_single_labels(task: str) -> None:
    with pytest.raises(UserError, match=r"dataset\.imbalance_factor"):
        prepare(Given(table=table(task=task), imbalance_factor=2.0))


def test_resizing_smooths_images_and_keeps_mask_values() -> None:
    made = table(12, task="segmentation")
    out = prepare(Given(table=made, resize=4)).examples
    assert (out.x.shape, out.x.dtype) == ((12, 1, 4, 4), torch.uint8)
    assert (out.y.shape, out.y.dtype) == ((12, 4, 4), torch.uint8)
    assert set(out.y.unique().tolist()) <= {0, 1, 2, 3}
    assert out.x.float().std() < 0.8 * made.examples.x.float().std()


def test_resizing_to_the_same_side_changes_nothing() -> None:
    made = table(12)
    assert prepare(Given(table=made, resize=8)).examples is made.examples


def test_images_that_are_not_square_are_refused_unless_resized() -> None:
    made = table(12)
    wide = replace(made, examples=replace(made.examples, x=made.examples.x[:, :, :4]))
    with pytest.raises(UserError, match=r"dataset\.resize: expected square images, got 4 x 8 pixels"):
        prepare(Given(table=wide))
    assert prepare(Given(table=wide, resize=6)).examples.x.shape[-2:] == (6, 6)


def test_presence_says_which_classes_an_image_shows() -> None:
    for task in ("multiclass", "multilabel", "segmentation"):
        examples = table(20, task=task).examples
        shown = presence(examples, task, 4)
        y = examples.y.numpy()
        for row in range(20):
            values = np.flatnonzero(y[row]) if task == "multilabel" else np.unique(y[row])
            assert np.flatnonzero(shown[row]).tolist() == values.tolist()


@pytest.mark.parametrize("most", [7, 20, 1000])
def test_no_site_has_more_training_images_than_asked_for(most: int) -> None:
    site = np.repeat([3, 5, 9], [150, 60, 30])
    plain, capped = (prepare(Given(table=table(site=site), per_site=n)).split for n in (None, most))
    for number in (3, 5, 9):
        whole = ((plain == TRAIN) & (site == number)).sum()
        assert ((capped == TRAIN) & (site == number)).sum() == min(most, whole)
    assert set(np.flatnonzero(capped == TRAIN)) <= set(np.flatnonzero(plain == TRAIN))
    assert all(np.array_equal(plain == split, capped == split) for split in (VAL, TEST))


def test_a_site_with_fewer_images_keeps_its_classes_in_proportion_and_split_seed_draws_them() -> None:
    made = table(site=np.zeros(240, np.int64))
    splits = [prepare(Given(table=made, per_site=40, split_seed=seed)).split for seed in (0, 0, 1)]
    assert np.array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0] == TRAIN, splits[2] == TRAIN)
    assert np.ptp(np.bincount(made.examples.y.numpy()[splits[0] == TRAIN], minlength=4)) <= 1


def test_patients_stay_together_where_a_site_has_fewer_images() -> None:
    patient = np.arange(240) // 5
    made = table(patient=patient, site=(patient % 2).astype(np.int64))
    split = prepare(Given(table=made, per_site=23)).split
    assert all(len(set(split[patient == p].tolist())) == 1 for p in range(48))
    assert [((split == TRAIN) & (made.site == s)).sum() for s in (0, 1)] == [20, 20]
    with pytest.raises(
        UserError, match=r"dataset\.per_site: expected at least the images of a patient at site 0, got 4"
    ):
        prepare(Given(table=made, per_site=4))


def test_fewer_images_a_site_need_sites() -> None:
    with pytest.raises(UserError, match=r"dataset\.per_site: expected null, as the dataset names no sites, got 10"):
        prepare(Given(table=table(), per_site=10))


@pytest.mark.parametrize("task", ["multilabel", "segmentation"])
def test_any_task_can_have_fewer_images_a_site(task: str) -> None:
    split = prepare(Given(table=table(task=task, site=SITE), per_site=5)).split
    assert np.bincount(SITE[split == TRAIN]).tolist() == [5, 5, 5]
