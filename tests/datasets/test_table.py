"""Tables of images, in the shapes of public sets."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data.examples import TEST, TRAIN, VAL, Table
from fedmed.datasets.table import ImageTable
from fedmed.errors import UserError
from tests.data.trees import halves, picture, pictures, table


def load(path: Path, **options: object) -> Table:
    return ImageTable(path=str(path), **options).load()


def test_fed_isic_2019_of_flamby(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("ISIC_1", 1, 0, 0, 0, "train"), ("ISIC_2", 0, 1, 1, 5, "train"), ("ISIC_3", 1, 0, 0, 5, "test")]
    pictures(tmp_path, [f"images/{row[0]}.jpg" for row in rows])
    file = table(
        tmp_path / "train_test_split",
        [dict(zip(("image", "MEL", "NV", "target", "center", "fold"), row, strict=True)) for row in rows],
    )
    read = load(file, root=str(tmp_path / "images"))
    assert (read.task, read.examples.y.tolist()) == ("multiclass", [0, 1, 0])
    assert (read.site.tolist(), read.site_names) == ([0, 1, 1], ("0", "5"))
    assert read.split.tolist() == [TRAIN, TRAIN, TEST]
    said = capsys.readouterr().err
    for words in ("dataset.image=image", "dataset.label=target", "dataset.site=center", "dataset.split=fold"):
        assert words in said


def test_fed_isic_2019_as_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path, [f"ISIC_2019_Training_Input/ISIC_{n}.jpg" for n in range(3)])
    truth = [{"image": f"ISIC_{n}", "MEL": f"{n == 0:.1f}", "NV": f"{n > 0:.1f}", "UNK": "0.0"} for n in range(3)]
    where = [{"image": f"ISIC_{n}", "dataset": ("BCN", "HAM")[n % 2]} for n in reversed(range(3))]
    file, metadata = table(tmp_path / "truth.csv", truth), table(tmp_path / "metadata.csv", where)
    read = load(file, join=str(metadata))
    assert (read.task, read.examples.y.tolist()) == ("multiclass", [0, 1, 1])
    assert (read.site.tolist(), read.site_names) == ([0, 1, 0], ("BCN", "HAM"))
    assert "exactly one 1 in every row" in capsys.readouterr().err
    named = load(file, join=str(metadata), label=["MEL", "NV", "UNK"])
    assert named.class_names == ("MEL", "NV", "UNK")
    many = load(file, join=str(metadata), label=["MEL", "NV"], task="multilabel")
    assert many.examples.y.tolist() == [[1, 0], [0, 1], [0, 1]]


def test_camelyon17_paths_are_made_of_columns(tmp_path: Path) -> None:
    template = "patches/patient_{patient}_node_{node}/patch_patient_{patient}_node_{node}_x_{x_coord}_y_{y_coord}.png"
    rows = [
        {"": n, "patient": f"00{n % 2}", "node": n, "x_coord": 10 + n, "y_coord": 3, "tumor": n % 2, "center": n // 2,
         "split": ("train", "val")[n % 2]}
        for n in range(4)
    ]  # fmt: skip
    pictures(tmp_path, [template.format(**row) for row in rows])
    read = load(table(tmp_path / "metadata.csv", rows), image=template)
    assert (read.examples.y.tolist(), read.site.tolist()) == ([0, 1, 0, 1], [0, 0, 1, 1])
    assert (read.split.tolist(), len(set(read.patient.tolist()))) == ([TRAIN, VAL] * 2, 4)


def test_chexpert_blanks_and_minus_one_are_not_annotated(tmp_path: Path) -> None:
    folder = tmp_path / "CheXpert-v1.0-small"
    paths = [f"CheXpert-v1.0-small/train/patient0000{n}/study1/view1_frontal.jpg" for n in range(3)]
    pictures(tmp_path, paths)
    values = [("1.0", "", "-1.0"), ("", "1.0", "0.0"), ("", "0.0", "1.0")]
    rows = [
        {"Path": path, "Sex": "Male", "Age": 60, **dict(zip(("No Finding", "Edema", "Cardiomegaly"), v, strict=True))}
        for path, v in zip(paths, values, strict=True)
    ]
    file = table(folder / "train.csv", rows)
    read = load(file, patient=r"(patient\d+)")
    assert (read.task, read.class_names) == ("multilabel", ("No Finding", "Edema", "Cardiomegaly"))
    assert read.examples.y.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert read.examples.seen.tolist() == [[True, False, False], [False, True, True], [False, True, True]]
    assert read.patient.tolist() == [0, 1, 2]
    ones = load(file, uncertain="1", blank="0")
    assert (ones.examples.y.tolist()[0], ones.examples.seen) == ([1, 0, 1], None)


def test_nih_findings_are_parted_by_a_bar(tmp_path: Path) -> None:
    pictures(tmp_path, [f"images_00{n}/images/0000000{n}_000.png" for n in (1, 2, 3)])
    found = ("Hernia|Edema", "No Finding", "Edema")
    rows = [{"Image Index": f"0000000{n}_000.png", "Finding Labels": found[n - 1], "Patient ID": n} for n in (1, 2, 3)]
    file = table(tmp_path / "Data_Entry_2017.csv", rows)
    read = load(file)
    assert (read.class_names, read.examples.y.tolist()) == (("Edema", "Hernia"), [[1, 1], [0, 0], [1, 0]])
    assert len(set(read.patient.tolist())) == 3
    with pytest.raises(UserError, match=r"got Hernia\. Did you mean Hernias"):
        load(file, names=["Hernias", "Edema"])


def test_padchest_lists_and_16_bits(tmp_path: Path) -> None:
    values = np.array([[0, 65535], [13107, 32768]], np.uint16)
    picture(tmp_path / "0/a.png", values)
    picture(tmp_path / "0/b.png", values[::-1])
    rows = [
        {"ImageID": "a.png", "ImageDir": 0, "PatientID": 7, "Labels": "['pleural effusion', 'normal']"},
        {"ImageID": "b.png", "ImageDir": 0, "PatientID": 8, "Labels": "['normal']"},
    ]
    read = load(table(tmp_path / "PADCHEST.csv", rows), label=["Labels"], image="{ImageDir}/{ImageID}")
    assert read.class_names == ("normal", "pleural effusion")
    assert read.examples.y.tolist() == [[1, 1], [1, 0]]
    assert read.examples.x.dtype == torch.float32
    assert torch.allclose(read.examples.x[0, 0], torch.from_numpy(values / 65535).float())
    windowed = load(tmp_path / "PADCHEST.csv", label=["Labels"], window=[32768, 65536]).examples.x
    assert windowed[0, 0, 1, 1] == 0.5
    clipped = load(tmp_path / "PADCHEST.csv", label=["Labels"], clip=[0, 50]).examples.x
    assert (clipped.min(), clipped.max()) == (0, 1)


def test_mimic_tables_are_joined_by_two_keys(tmp_path: Path) -> None:
    names = [("10000032", "50414267", "02aa"), ("10000032", "53189527", "2a2f"), ("10000764", "50414267", "096")]
    pictures(tmp_path, [f"files/p{p[:2]}/p{p}/s{s}/{d}.jpg" for p, s, d in names])
    metadata = table(
        tmp_path / "metadata.csv",
        [{"dicom_id": d, "subject_id": p, "study_id": s, "ViewPosition": "PA"} for p, s, d in names],
    )
    labels = table(
        tmp_path / "chexpert.csv",
        [{"subject_id": p, "study_id": s, "Edema": n % 2, "Hernia": -1} for n, (p, s, _) in enumerate(names)],
    )
    image = "files/p{subject_id:.2}/p{subject_id}/s{study_id}/{dicom_id}.jpg"
    read = load(metadata, join=str(labels), image=image, label=["Edema", "Hernia"])
    assert read.examples.y.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert read.examples.seen[:, 1].tolist() == [False] * 3
    assert read.patient.tolist() == [0, 0, 1]


def test_an_institution_comes_from_a_second_table_of_other_names(tmp_path: Path) -> None:
    for case in ("F1", "F2"):
        for ending in ("t1", "flair"):
            picture(tmp_path / f"{case}/{case}_{ending}.png")
        picture(tmp_path / f"{case}/{case}_seg.png", halves(values=(0, 1)))
    file = table(tmp_path / "partition.csv", [{"Partition_ID": n, "Subject_ID": f"F{n}"} for n in (1, 2)])
    extra = table(tmp_path / "ages.csv", [{"case": f"F{n}", "age": 40 + n} for n in (1, 2)])
    image, mask = "{Subject_ID}/{Subject_ID}{}.png", "{Subject_ID}/{Subject_ID}_seg.png"
    both = {"join": str(extra), "on": ["Subject_ID:case"], "attributes": ["age"]}
    read = load(file, image=image, mask=mask, channels=["_t1", "_flair"], **both)
    assert (read.attributes["age"].names, read.attributes["age"].codes.tolist()) == (("41", "42"), [0, 1])
    assert (read.task, read.examples.x.shape[1], read.site.tolist()) == ("segmentation", 2, [0, 1])
    with pytest.raises(UserError, match=r"dataset\.on: expected a column that both tables have"):
        load(file, image=image, mask=mask, join=str(extra))


def test_rows_of_boxes_are_one_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(tmp_path, ["a.png", "b.png"])
    rows = [{"patientId": "a", "x": 1, "Target": 1}, {"patientId": "a", "x": 5, "Target": 1}, {"patientId": "b",
             "x": "", "Target": 0}]  # fmt: skip
    assert load(table(tmp_path / "labels.csv", rows)).examples.y.tolist() == [1, 0]
    assert "3 rows are of 2 images" in capsys.readouterr().err
    rows[1]["Target"] = 0
    with pytest.raises(UserError, match=r"a\.png: expected one label in all rows of an image"):
        load(table(tmp_path / "labels.csv", rows))


def small(tmp_path: Path) -> Path:
    pictures(tmp_path, [f"img/{n}.png" for n in range(4)])
    rows = [{"file": f"img/{n}.png", "dx": "ab"[n % 2], "Hospital": n // 2, "who": n % 2, "part": "train"}
            for n in range(4)]  # fmt: skip
    return table(tmp_path / "t.csv", rows)


def test_wrong_columns_name_near_ones(tmp_path: Path) -> None:
    file = small(tmp_path)
    with pytest.raises(UserError, match=r"dataset.site: expected a column of .*t.csv, got hospital. Did you mean Hosp"):
        load(file, site="hospital")
    with pytest.raises(UserError, match=r"dataset.label: expected a column of .*, got dxx. Did you mean dx"):
        load(file, label=["dxx"])
    with pytest.raises(UserError, match=r"dataset.image: expected names that have values, got {fille}"):
        load(file, image="{fille}")


def test_missing_files_are_refused_together_or_left_out(tmp_path: Path) -> None:
    file = small(tmp_path)
    for n in (1, 2):
        (tmp_path / f"img/{n}.png").unlink()
    with pytest.raises(UserError) as caught:
        load(file)
    assert [fault.where for fault in caught.value.faults] == [f"{file}, row 3", f"{file}, row 4"]
    assert load(file, on_error="skip").examples.y.tolist() == [0, 1]


def test_a_patient_in_two_splits_is_refused_with_other_faults(tmp_path: Path) -> None:
    file = small(tmp_path)
    text = file.read_text(encoding="utf-8").replace("1,1,1,train", "1,1,1,valid").replace("3.png,b", "3.png,")
    file.write_text(text.replace("b,1,1,train", ",1,1,test").replace(",1,1,train", ",1,1,test"), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(file, patient="who", split="part", site="none", label=["dx"])
    assert "1 in train and test" in str(caught.value)
    assert "labels: expected a class for every image" in str(caught.value)
    assert load(file, patient="who", split="none", task="auto", label=["part"]).split is None


def test_folder_levels_and_expressions_read_the_path(tmp_path: Path) -> None:
    file = small(tmp_path)
    assert load(file, patient=r"(\d)\.png").patient.tolist() == [0, 1, 2, 3]
    assert load(file, site="folder:-1").site_names == ("img",)
    with pytest.raises(UserError, match=r"folder:1 for the first folder"):
        load(file, site="folder:3")
    with pytest.raises(UserError, match=r"that dataset.patient=\(p\)x matches"):
        load(file, patient="(p)x")
