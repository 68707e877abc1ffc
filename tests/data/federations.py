"""Public federations in small: a tree of a few images for each card, in the shape in which it is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from tests.data.trees import halves, picture, pictures, pixels, table

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
"""The columns of CheXpert; MIMIC-CXR has the same in alphabetical order."""

UNSURE = ("1.0", "", "-1.0", "0.0")
"""What the tables say of the first findings of an image; of the others they say nothing."""


def volume(path: Path, values: np.ndarray) -> None:
    """Writes NIfTI (X, Y, Z) or (X, Y, Z, frames), in axes right, anterior, superior."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), np.eye(4)), path)


def depth(slices: int = 10, frames: int = 0) -> np.ndarray:
    """Random values of a volume (8, 8, slices) or (8, 8, slices, frames)."""
    return np.random.default_rng(0).integers(-100, 400, (8, 8, slices, *([frames] if frames else [])))


def drawn(values: Sequence[int], slices: int = 10, shown: Sequence[int] = (5, 6)) -> np.ndarray:
    """A mask (8, 8, slices) with these values in bands, in the slices shown only."""
    mask = np.zeros((8, 8, slices), np.int16)
    mask[:, :, list(shown)] = halves(8, values)[:, :, None]
    return mask


def fed_isic2019(root: Path) -> None:
    kinds = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    rows = [
        {"image": f"ISIC_{n}", **{kind: float(kind == kinds[n % 8]) for kind in kinds}, "target": n % 8,
         "center": n % 6, "fold": ("train", "test")[n % 5 == 0], "fold2": f"train_{n % 6}"}
        for n in range(24)
    ]  # fmt: skip
    for n, row in enumerate(rows):
        picture(root / f"ISIC_2019_Training_Input_preprocessed/{row['image']}.jpg", pixels(8 + n % 3, 9, colours=3))
    table(root / "train_test_split", rows)


def camelyon17(root: Path) -> None:
    rows = [
        {"": n, "patient": f"{4 + n // 4:03}", "node": n % 4, "x_coord": 3328 + n, "y_coord": 21792, "tumor": n % 2,
         "slide": n // 4, "center": n // 4, "split": n % 2}
        for n in range(20)
    ]  # fmt: skip
    for n, row in enumerate(rows):
        where = f"patient_{row['patient']}_node_{row['node']}"
        picture(root / f"patches/{where}/patch_{where}_x_{3328 + n}_y_21792.png", pixels(8, colours=4))
    table(root / "metadata.csv", rows)


def chexpert(root: Path) -> None:
    paths = [f"CheXpert-v1.0-small/train/patient{n:05}/study1/view1_frontal.jpg" for n in range(1, 5)]
    pictures(root, paths)
    rows = [
        {"Path": path, "Sex": "Female", "Age": 60 + n, "Frontal/Lateral": "Frontal", "AP/PA": "AP"} | unsure(n)
        for n, path in enumerate(paths)
    ]
    table(root / "CheXpert-v1.0-small/train.csv", rows)


def unsure(image: int) -> dict[str, str]:
    """The findings of an image: of the first four what `UNSURE` says, moved on by one for each image."""
    known = {name: UNSURE[(n + image) % 4] for n, name in enumerate(FINDINGS[:4])}
    return {name: known.get(name, "") for name in FINDINGS}


def nih_chestxray14(root: Path) -> None:
    found = ("Cardiomegaly|Emphysema", "No Finding", "Hernia", "Pleural_Thickening|Mass|Nodule")
    rows = [
        {"Image Index": f"{n:08}_000.png", "Finding Labels": text, "Follow-up #": 0, "Patient ID": n,
         "Patient Age": 58, "Patient Gender": "M", "View Position": "PA"}
        for n, text in enumerate(found, 1)
    ]  # fmt: skip
    for n, row in enumerate(rows):
        picture(root / f"images_{1 + n // 2:03}/images/{row['Image Index']}", pixels(8, colours=4 if n == 1 else 0))
    table(root / "Data_Entry_2017_v2020.csv", rows)


def padchest(root: Path) -> None:
    found = ("['pleural effusion', 'cardiomegaly']", "['normal']", "['cardiomegaly', '']")
    rows = [
        {"": n, "ImageID": f"2021_{n}.png", "ImageDir": n % 2, "PatientID": f"P{n}", "Projection": "PA", "Labels": text}
        for n, text in enumerate(found)
    ]
    for row in rows:
        picture(root / f"{row['ImageDir']}/{row['ImageID']}", pixels().astype(np.uint16) * 257)
    table(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", rows)


def mimic_cxr(root: Path) -> None:
    keys = [("10000032", "50414267"), ("10000032", "53189527"), ("10000764", "57375967"), ("10000898", "50771383")]
    pictures(root, [f"files/p{p[:2]}/p{p}/s{s}/{n}a-b.jpg" for n, (p, s) in enumerate(keys)])
    rows = [
        {"dicom_id": f"{n}a-b", "subject_id": p, "study_id": s, "ViewPosition": "PA"} for n, (p, s) in enumerate(keys)
    ]
    table(root / "mimic-cxr-2.0.0-metadata.csv", rows)
    studies = [
        {"subject_id": p, "study_id": s} | dict(sorted(unsure(n).items())) for n, (p, s) in enumerate(keys[:3])
    ]  # the last study has no labels
    table(root / "mimic-cxr-2.0.0-chexpert.csv", studies)


def rsna_pneumonia(root: Path) -> None:
    for name in "abc":
        dicom(root / f"stage_2_train_images/{name}.dcm")
    boxes = [("a", "264.0", 1), ("a", "562.0", 1), ("b", "", 0), ("c", "", 0)]
    rows = [{"patientId": name, "x": x, "y": x, "width": x, "height": x, "Target": sick} for name, x, sick in boxes]
    table(root / "stage_2_train_labels.csv", rows)


def dicom(path: Path) -> None:
    """Writes a grey DICOM file of 8 bits."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    path.parent.mkdir(parents=True, exist_ok=True)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = pixels().tobytes()
    data.save_as(path, enforce_file_format=True)


def fundus(root: Path) -> None:
    for domain, split, n in product(range(1, 5), ("train", "test"), range(2)):
        folder, name = root / f"Domain{domain}/{split}/ROIs", f"gdrishtiGS_{split}{n}.png"
        picture(folder / "image" / name, pixels(8, colours=3))
        picture(folder / "mask" / name, halves(8, (255, 128, 0)))


def prostate(root: Path) -> None:
    for site, case in product(("BIDMC", "HK", "I2CVB", "ISBI", "ISBI_1.5", "UCL"), (0, 3)):  # numbers have gaps
        volume(root / site / f"Case{case:02}.nii.gz", depth())
        ending = "Segmentation" if site == "ISBI_1.5" else "segmentation"
        volume(root / site / f"Case{case:02}_{ending}.nii.gz", drawn((0, 1, 2)))


def polyps(root: Path) -> None:
    for n, (name, image) in enumerate(product(("CVC-300", "CVC-ClinicDB", "CVC-ColonDB", "ETIS", "Kvasir"), "12")):
        picture(root / f"TestDataset/{name}/images/{image}.png", pixels(8 + n, 9, colours=3))
        soft = np.linspace(0, 255, (8 + n) * 9).astype(np.uint8).reshape(8 + n, 9)
        picture(root / f"TestDataset/{name}/masks/{image}.png", soft)


def mms(root: Path) -> None:
    rows = []
    folders = ("Training/Labeled", "Training/Unlabeled", "Validation", "Testing", "Testing")
    for n, folder in enumerate(folders):
        code, (end_diastole, end_systole) = f"A0S{n}V9", (1, 3)
        masks = np.zeros((8, 8, 10, 4), np.int16)
        if "Unlabeled" not in folder:
            masks[..., end_diastole], masks[..., end_systole] = drawn((0, 1, 2, 3)), drawn((0, 1, 2, 3), shown=(5,))
        volume(root / f"OpenDataset/{folder}/{code}/{code}_sa.nii.gz", depth(frames=4))
        volume(root / f"OpenDataset/{folder}/{code}/{code}_sa_gt.nii.gz", masks)
        rows.append({"": n, "External code": code, "VendorName": "Siemens", "Vendor": "ABCD"[n % 4], "Centre": n + 1,
                     "ED": end_diastole, "ES": end_systole, "Age": 50, "Sex": "F"})  # fmt: skip
    table(root / "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv", rows)


def fets2022(root: Path) -> None:
    cases = [f"FeTS2022_{n:05}" for n in range(6)]
    for case in cases:
        for ending in ("flair", "t1", "t1ce", "t2"):
            volume(root / case / f"{case}_{ending}.nii.gz", depth())
        volume(root / case / f"{case}_seg.nii.gz", drawn((0, 1, 2, 4)))
    table(
        root / "partitioning_1.csv", [{"Partition_ID": 1 + n % 3, "Subject_ID": case} for n, case in enumerate(cases)]
    )


def ixi(root: Path) -> None:
    for n, hospital in enumerate(("Guys", "Guys", "HH", "HH", "IOP", "IOP")):
        name = f"IXI{n:03}-{hospital}-0{n}28"
        volume(root / f"IXI_sample/{name}/T1/{name}-T1.nii.gz", depth(8))
        volume(root / f"IXI_sample/{name}/label/{name}-mask.nii.gz", drawn((0, 1), 8, (0, 4)))


def kits19(root: Path) -> None:
    cases = [f"case_{n:05}" for n in range(12)]
    for case in cases:
        volume(root / f"data/{case}/imaging.nii.gz", depth())
        volume(root / f"data/{case}/segmentation.nii.gz", drawn((0, 1, 2)))
    rows = [
        {"": n, "case_ids": case, "site_ids": n % 6, "train_test_split": ("train", "test")[n > 5],
         "train_test_split_silo": f"train_{n % 6}"}
        for n, case in enumerate(cases)
    ]  # fmt: skip
    table(root / "thresholded_sites.csv", rows)


TREES: dict[str, Callable[[Path], None]] = {
    build.__name__: build
    for build in (
        camelyon17, chexpert, fed_isic2019, fets2022, fundus, ixi, kits19, mimic_cxr, mms, nih_chestxray14, padchest,
        polyps, prostate, rsna_pneumonia,
    )
}  # fmt: skip
"""What writes the tree of each card into a folder, by the card's name."""
