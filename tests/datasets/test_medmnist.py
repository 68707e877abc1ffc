import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedmed.data import medmnist_info
from fedmed.data.medmnist_info import MEDMNIST, file_name, url
from fedmed.datasets.medmnist import Medmnist
from fedmed.errors import UserError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder of the test's own, and a network that always refuses."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(medmnist_info, "RECORD", "http://127.0.0.1:1")
    return tmp_path / "home"


def write(folder, name, size=28, *, shape=(28, 28), labels=None):
    """A small rebuilt file of a set: 3, 2 and 2 rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, arrays = np.random.default_rng(0), {}
    for split, n in (("train", 3), ("val", 2), ("test", 2)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.zeros((n, 1), np.uint8) if labels is None else labels[:n]
    path = folder / file_name(name, size)
    np.savez(path, **arrays)
    return path, arrays


def test_the_table_is_complete_and_plausible():
    assert len(MEDMNIST) == 18
    assert sum(facts.volumes for facts in MEDMNIST.values()) == 6
    sums = [md5 for facts in MEDMNIST.values() for md5 in facts.md5.values()]
    assert len(set(sums)) == len(sums) == 12 * 4 + 6 * 2
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in sums)
    for facts in MEDMNIST.values():
        assert set(facts.md5) == ({28, 64} if facts.volumes else {28, 64, 128, 224})
        assert len(set(facts.names)) == len(facts.names) >= 2
        assert len(facts.counts) == 3
        assert facts.licence.startswith("CC BY")
    assert [name for name, facts in MEDMNIST.items() if facts.task == "multilabel"] == ["chestmnist"]
    rows = {False: 0, True: 0}
    for facts in MEDMNIST.values():
        rows[facts.volumes] += sum(facts.counts)
    # The paper has 708,069 images and 9,998 volumes; release 3 has 107 and 2 fewer.
    assert rows == {False: 707_962, True: 9_996}


def test_addresses(monkeypatch):
    monkeypatch.undo()
    assert url("pathmnist", 28) == "https://zenodo.org/records/10519652/files/pathmnist.npz?download=1"
    assert url("organmnist3d", 64) == "https://zenodo.org/records/10519652/files/organmnist3d_64.npz?download=1"


@pytest.mark.parametrize("root", ["breastmnist", "breastmnist/breastmnist.npz"])
def test_the_published_breast_images_from_a_folder_or_a_file(shared_data, root):
    table = Medmnist(root=str(shared_data / root)).load()
    facts = MEDMNIST["breastmnist"]
    assert tuple(np.bincount(table.split)) == facts.counts
    assert table.examples.x.shape == (780, facts.channels, 28, 28)
    assert (table.task, table.classes) == ("multiclass", 2)
    assert table.class_names == ("malignant", "normal, benign")
    assert table.examples.y.float().mean().item() == pytest.approx(0.73, abs=0.01)


def test_a_file_in_the_home_folder_is_found_even_if_root_lacks_it(home, tmp_path):
    _, arrays = write(home / ".medmnist", "breastmnist", 64, shape=(64, 64))
    table = Medmnist(root=str(tmp_path), size=64, verify=False).load()
    assert torch.equal(table.examples.x[:3, 0], torch.from_numpy(arrays["train_images"]))


def test_chest_images_have_several_findings(home):
    write(home / ".medmnist", "chestmnist", labels=np.eye(14, dtype=np.uint8)[:3])
    table = Medmnist(name="chestmnist", verify=False).load()
    assert (table.task, table.classes, table.examples.y.shape) == ("multilabel", 14, (7, 14))
    assert table.examples.y.dtype == torch.float32
    assert table.class_names[-1] == "hernia"


def test_colour_images(home):
    write(home / ".medmnist", "bloodmnist", shape=(28, 28, 3))
    assert Medmnist(name="bloodmnist", verify=False).load().examples.x.shape == (7, 3, 28, 28)


def test_the_middle_slice_of_volumes(home):
    _, arrays = write(home / ".medmnist", "organmnist3d", shape=(5, 6, 7))
    table = Medmnist(name="organmnist3d", verify=False).load()
    assert table.patient is None
    assert table.examples.x.shape == (7, 1, 6, 7)
    assert torch.equal(table.examples.x[:3, 0], torch.from_numpy(arrays["train_images"][:, 2]))


def test_every_slice_of_volumes_belongs_to_its_patient(home):
    labels = np.arange(3, dtype=np.uint8)[:, None]
    _, arrays = write(home / ".medmnist", "organmnist3d", shape=(5, 6, 7), labels=labels)
    table = Medmnist(name="organmnist3d", verify=False, slices="all").load()
    assert len(table) == len(table.split) == len(table.patient) == 35
    assert torch.equal(table.examples.x[:15, 0], torch.from_numpy(arrays["train_images"]).flatten(0, 1))
    assert table.patient.tolist() == np.arange(7).repeat(5).tolist()
    assert table.examples.y[:15].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert table.split.tolist() == [0] * 15 + [1] * 10 + [2] * 10


def test_a_missing_file_is_downloaded_to_the_root_and_verified(home, tmp_path, monkeypatch):
    source, _ = write(tmp_path / "site", "breastmnist")
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    monkeypatch.setattr("fedmed.datasets.medmnist.url", lambda name, size: source.as_uri())
    monkeypatch.setitem(MEDMNIST, "breastmnist", replace(MEDMNIST["breastmnist"], md5={28: md5}))
    root = tmp_path / "root"
    assert len(Medmnist(root=str(root)).load()) == 7
    assert (root / "breastmnist.npz").is_file()
    assert len(Medmnist(root=str(root), download=False).load()) == 7
    assert not home.exists()


@pytest.mark.parametrize("options", [{}, {"download": False}])
def test_a_missing_file_without_network_names_everything_needed(home, options):
    with pytest.raises(UserError) as caught:
        Medmnist(name="pathmnist", size=64, **options).load()
    target = home / ".medmnist" / "pathmnist_64.npz"
    for message in ("pathmnist_64.npz", url("pathmnist", 64), MEDMNIST["pathmnist"].md5[64], str(target)):
        assert message in str(caught.value)


def test_a_wrong_checksum_names_both_remedies(home):
    path, _ = write(home / ".medmnist", "breastmnist")
    got = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(UserError) as caught:
        Medmnist().load()
    for message in (str(path), MEDMNIST["breastmnist"].md5[28], got, "Delete the file", "dataset.verify=false"):
        assert message in str(caught.value)
    assert len(Medmnist(verify=False).load()) == 7


def test_a_mistyped_name_and_an_unpublished_size_are_refused():
    with pytest.raises(UserError, match="Did you mean breastmnist"):
        Medmnist(name="breast_mnist").load()
    with pytest.raises(UserError, match="28 or 64 for organmnist3d, got 224"):
        Medmnist(name="organmnist3d", size=224).load()


def test_a_rebuilt_file_must_fit_the_set(home):
    folder = home / ".medmnist"
    write(folder, "breastmnist", labels=np.full((3, 1), 2))
    with pytest.raises(UserError, match=r"1 per image, 0 to 1, got 1 per image, up to 2"):
        Medmnist(verify=False).load()
    write(folder, "organmnist3d")
    with pytest.raises(UserError, match=r"volumes \(N, D, H, W\)"):
        Medmnist(name="organmnist3d", verify=False).load()
    np.savez(folder / "breastmnist.npz", images=np.zeros((2, 28, 28)), labels=np.zeros(2))
    with pytest.raises(UserError, match="train, val and test, got images, labels"):
        Medmnist(verify=False).load()


def test_whole_volumes(home):
    _, arrays = write(home / ".medmnist", "organmnist3d", shape=(5, 6, 7))
    table = Medmnist(name="organmnist3d", verify=False, slices="whole").load()
    assert table.patient is None
    assert table.examples.x.shape == (7, 1, 5, 6, 7)
    assert torch.equal(table.examples.x[:3, 0], torch.from_numpy(arrays["train_images"]))
