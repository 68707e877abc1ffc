"""Every card says what it is, and reads a tree of the shape in which its federation is downloaded."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from fedmed.config.build import experiment_from
from fedmed.data.examples import TEST, TRAIN, Table
from fedmed.options.cards import FIELDS, cards, read_card
from fedmed.run.parts import load_world
from tests.data.federations import FINDINGS, TREES


class Shape(NamedTuple):
    """What a card makes of its tree."""

    task: str
    classes: int
    sites: tuple[str, ...]
    rows: int
    channels: int


PROSTATE = ("BIDMC", "HK", "I2CVB", "ISBI", "ISBI_1.5", "UCL")
POLYPS = ("CVC-300", "CVC-ClinicDB", "CVC-ColonDB", "ETIS", "Kvasir")
SHAPES = {
    "camelyon17": Shape("multiclass", 2, tuple("01234"), 20, 3),
    "chexpert": Shape("multilabel", 14, (), 4, 1),
    "fed_isic2019": Shape("multiclass", 8, tuple("012345"), 24, 3),
    "fets2022": Shape("segmentation", 4, tuple("123"), 6, 4),  # every fifth slice, of which one shows a tumour
    "fundus": Shape("segmentation", 3, ("Domain1", "Domain2", "Domain3", "Domain4"), 16, 3),
    "ixi": Shape("segmentation", 2, ("Guys", "HH", "IOP"), 12, 1),
    "kits19": Shape("segmentation", 3, tuple("012345"), 12, 1),
    "mimic_cxr": Shape("multilabel", 14, (), 4, 1),
    "mms": Shape("segmentation", 4, tuple("1345"), 12, 1),  # two slices of one frame and one of the other
    "nih_chestxray14": Shape("multilabel", 14, (), 4, 1),
    "padchest": Shape("multilabel", 3, (), 3, 1),
    "polyps": Shape("segmentation", 2, POLYPS, 10, 3),
    "prostate": Shape("segmentation", 2, PROSTATE, 24, 1),
    "rsna_pneumonia": Shape("multiclass", 2, (), 3, 1),
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(name: str, *options: str) -> Table:
    """The table of a card and a tree of its shape, in the folder that the card names."""
    TREES[name](Path("data") / name)
    return experiment_from([f"dataset={name}", "dataset.resize=8", *options]).dataset.load()


def test_every_card_has_all_fields_and_a_tree() -> None:
    found = cards()
    assert [card.name for card in found] == sorted(TREES)
    assert {card.name: list(card.said) for card in found} == {card.name: list(FIELDS) for card in found}
    assert [card.name for card in found if not all(card.said.values()) or not card.title.endswith(".")] == []
    assert [card.name for card in found if not all(path.startswith(f"data/{card.name}") for path in card.paths)] == []


@pytest.mark.parametrize("name", TREES)
def test_a_card_reads_its_tree(name: str) -> None:
    table = load(name)
    # not the rows of a site without any
    sites = tuple(table.site_names[n] for n in sorted(set(table.site.tolist()))) if table.site is not None else ()
    rows, channels = table.examples.x.shape[:2]
    assert Shape(table.task, table.classes, sites, rows, channels) == SHAPES[name]
    assert table.class_names is not None
    assert len(table.class_names) == table.classes
    (card,) = [card for card in cards() if card.name == name]
    assert card.missing() == []


@pytest.mark.parametrize("name", ["chexpert", "mimic_cxr"])
def test_blanks_and_minus_one_are_not_annotated(name: str) -> None:
    table = load(name)
    assert table.class_names == FINDINGS
    known = [[True, False, False, True], [False, False, True, True], [False, True, True, False]]
    assert table.examples.seen[:3, :4].tolist() == known
    assert not table.examples.seen[:, 4:].any()
    assert table.examples.y[:3, :4].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    if name == "mimic_cxr":
        assert not table.examples.seen[3].any()  # a study without labels
        assert table.patient.tolist() == [0, 0, 1, 2]


def test_official_splits_are_kept() -> None:
    assert load("fundus").split.tolist() == ([TEST] * 2 + [TRAIN] * 2) * 4
    assert load("kits19").split.tolist() == [TRAIN] * 6 + [TEST] * 6
    assert load("fed_isic2019").split.tolist()[:6] == [TEST, *[TRAIN] * 4, TEST]


def test_masks_become_the_classes_of_the_card() -> None:
    assert load("fundus").examples.y[0, :, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert load("fets2022").examples.y.unique().tolist() == [0, 1, 2, 3]
    assert load("prostate").examples.y.unique().tolist() == [0, 1]


def test_frames_of_a_film_are_of_one_patient_each_with_its_own_mask() -> None:
    table = load("mms")
    assert table.patient.tolist() == [patient for patient in table.patient.tolist()[::3] for _ in range(3)]
    assert len(set(table.patient.tolist())) == 4
    images = table.examples.x[:3]
    assert not torch.equal(images[0], images[2])  # slice 5 of end diastole and of end systole


def test_a_card_elsewhere_trains_by_its_sites(tmp_path: Path) -> None:
    TREES["camelyon17"](tmp_path / "elsewhere")
    options = ["dataset=camelyon17", "dataset.path=elsewhere/metadata.csv", "partition=site", "dataset.held_out_site=2"]
    world = load_world(experiment_from(options))
    assert len(world.shares) == 4
    assert world.task.classes == 2


def test_a_card_of_masks_has_a_model_for_them() -> None:
    assert experiment_from(["dataset=fets2022"]).model == experiment_from(["dataset=fets2022", "model=unet"]).model
    assert experiment_from(["dataset=chexpert"]).model == experiment_from(["dataset=chexpert", "model=small_cnn"]).model


def test_a_field_goes_on_in_the_next_line() -> None:
    card = read_card(
        "x", "# @package dataset\n# A title.\n# source: here\n# download: this,\n#   and: that\npath: data/x\n"
    )
    assert card.title == "A title."
    assert card.said == {"source": "here", "download": "this, and: that"}
    assert card.missing() == ["data/x"]
