"""The cases of a table: which columns name files, labels, sites, patients and splits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fedmed.data.reading.levels import SPLIT_WORDS
from fedmed.data.reading.listing import Listing
from fedmed.data.reading.locating import FileFinder, image_column, texts_of
from fedmed.data.reading.notices import say
from fedmed.data.reading.problems import Problem, usable
from fedmed.data.reading.text_columns import TextColumns
from fedmed.errors import Fault, UserError, near, refuse
from fedmed.options.mask_words import MASK_COLUMNS

SITES = ("site", "siteid", "center", "centre", "centerid", "hospital", "institution", "partitionid", "dataset")
PATIENTS = ("patient", "patientid", "subject", "subjectid", "caseid", "lesionid")
SPLITS = ("split", "fold", "set", "traintestsplit", "subset")
LABELS = (
    "label", "labels", "class", "target", "diagnosis", "dx", "findinglabels", "finding", "category", "tumor", "y",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """What the columns of a table are; empty texts are guessed.

    image: a column, or a template of columns; mask: the same, or none. channels: columns of several files per case, or
    what stands for `{}` in the template of images. label: columns. frames: columns of numbers of frames, from 0.
    site, patient, split: a column, a regular expression on the image's path (with a group in parentheses), `folder:1`
    for a level of folders, or none.
    """

    image: str = ""
    mask: str = ""
    channels: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    site: str = ""
    patient: str = ""
    split: str = ""
    attributes: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()


def table_listing(
    table: TextColumns, root: Path, columns: TableColumns, on_error: str, *, segmentation: bool
) -> Listing:
    """The cases of a table. segmentation: whether masks are to be learnt, so that labels are not looked for.

    Raises UserError where columns are not there, or files are missing.
    """
    finder = FileFinder(root)
    files = _files(table, columns, finder)
    masks = _masks(table, columns, finder)
    labels = {} if segmentation or masks else _labels(table, columns)
    paths = [_below(root, row[0]) for row in files]
    site = _known(table, columns.site, SITES, paths, root, "site")
    patient = _known(table, columns.patient, PATIENTS, paths, root, "patient")
    split = _known(table, columns.split, SPLITS, paths, root, "split")
    attributes = {name: table.column(name, "dataset.attributes") for name in columns.attributes}
    good = usable(table.rows, _missing(table, files), "skip" if on_error == "skip" else "fail")
    rows, frames = _frames(table, columns.frames, good)
    listing = Listing(
        where=table.path,
        files=[tuple(path for path in row if path) for row in files],
        masks=masks,
        labels=labels,
        site=site,
        patient=patient,
        split=split,
        attributes=attributes,
    )
    return _once(replace(listing[rows], frames=frames))


def _frames(table: TextColumns, names: Sequence[str], good: Sequence[int]) -> tuple[list[int], list[int]]:
    """The row, and the frame, of each case: one for each row and each column of frames."""
    if not names:
        return list(good), []
    texts = {name: table.column(name, "dataset.frames") for name in names}
    for name, column in texts.items():
        if odd := [row for row in good if not column[row].isdecimal()]:
            got = f"{column[odd[0]] or 'nothing'} in row {odd[0] + 2}"
            raise refuse(f"dataset.frames: {name}", "numbers of frames, from 0", got)
    return [row for row in good for _ in names], [int(texts[name][row]) for row in good for name in names]


def _files(table: TextColumns, columns: TableColumns, finder: FileFinder) -> list[tuple[Path | None, ...]]:
    """The files of each row, one for each channel; None where one is missing."""
    if columns.channels and "{" not in columns.image:
        texts = [table.column(name, "dataset.channels") for name in columns.channels]
    else:
        spec = columns.image or _guessed_image(table, finder)
        texts = [texts_of(table, spec, "dataset.image", each) for each in columns.channels or ("",)]
    return [tuple(finder.find(text) for text in row) for row in zip(*texts, strict=True)]


def _guessed_image(table: TextColumns, finder: FileFinder) -> str:
    if not (name := image_column(table, finder)):
        got = f"no column whose values are files below {finder.root}"
        fix = f"Set dataset.root, or dataset.image to a column or to a template of columns. Known: {_names(table)}."
        raise refuse(f"dataset.path: {table.path}", "a column of images", got, fix)
    say(f"dataset.image={name}")
    return name


def _masks(table: TextColumns, columns: TableColumns, finder: FileFinder) -> list[Path | None]:
    spec = columns.mask or table.first_of(MASK_COLUMNS)
    if spec in ("", "none"):
        return []
    texts = texts_of(table, spec, "dataset.mask")
    found = [finder.find(text) for text in texts]
    if not columns.mask:
        if not any(found):
            return []
        say(f"dataset.mask={spec}")
    lost = [Problem(n, str(finder.root / text), "the mask of an image", "no such file")
            for n, (text, path) in enumerate(zip(texts, found, strict=True)) if text and not path]  # fmt: skip
    usable(len(found) + 1, lost, "fail")
    return found


def _labels(table: TextColumns, columns: TableColumns) -> Mapping[str, Sequence[str]]:
    if columns.label:
        faults = [Fault("dataset.label", f"a column of {table.path}", name, near(name, table.columns))
                  for name in columns.label if name not in table.columns]  # fmt: skip
        if faults:
            raise UserError(*faults)
        return {name: table.columns[name] for name in columns.label}
    names = [table.first_of(LABELS)]
    if not names[0]:
        apart = {table.first_of(usual) for usual in (SITES, PATIENTS, SPLITS)} | {columns.site, columns.split, ""}
        names = [name for name, texts in table.columns.items() if name not in apart and _is_finding(texts)]
    if not names:
        fix = f"Set dataset.label to a column, or to a list of them. Known: {_names(table)}."
        raise refuse(f"dataset.path: {table.path}", "a column of labels", "none of a usual name", fix)
    say(f"dataset.label={names[0] if len(names) == 1 else '[' + ','.join(names) + ']'}")
    return {name: table.columns[name] for name in names}


def _is_finding(texts: Sequence[str]) -> bool:
    """Whether a column holds 0 and 1 (and -1 and blanks) only, and both of them."""
    found = set(texts)
    return found <= {"0", "1", "-1", "0.0", "1.0", "-1.0", ""} and bool(found & {"1", "1.0"}) and len(found) > 1


def _known(
    table: TextColumns, spec: str, usual: Sequence[str], paths: Sequence[str], root: Path, what: str
) -> Sequence[str]:
    """What is known of every row: from a column, the path, or a level of folders; empty where nothing is."""
    if spec == "none":
        return ()
    if not spec:
        name = table.first_of(usual)
        words = {text.lower() for text in table.columns.get(name, ())}
        if not name or (what == "split" and not words <= SPLIT_WORDS.keys()) or (what == "site" and len(words) < 2):
            return ()
        say(f"dataset.{what}={name}")
        return table.columns[name]
    if spec.startswith("folder:"):
        return [_level(path, spec, f"dataset.{what}") if path else "" for path in paths]
    return _matched(spec, paths, f"dataset.{what}") if "(" in spec else table.column(spec, f"dataset.{what}")


def _matched(spec: str, paths: Sequence[str], option: str) -> list[str]:
    try:
        expression = re.compile(spec)
    except re.error as error:
        raise refuse(
            option, "a regular expression", f"{spec} ({error})", "Write (patient\\d+), for instance."
        ) from None
    found = [expression.search(path) for path in paths]
    lost = [Problem(n, path, f"a path that {option}={spec} matches", "none")
            for n, (path, match) in enumerate(zip(paths, found, strict=True)) if path and not match]  # fmt: skip
    usable(len(paths) + 1, lost, "fail")
    return [match[1] if match else "" for match in found]


def _below(root: Path, path: Path | None) -> str:
    """The path from the root on; empty for a file that is missing."""
    return "" if path is None else (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _level(path: str, spec: str, option: str) -> str:
    folders = PurePosixPath(path).parent.parts
    try:
        number = int(spec.partition(":")[2])
        return folders[number - 1 if number > 0 else number]
    except (ValueError, IndexError):
        got = f"{spec} of {'/'.join(folders) or 'no folder'}"
        raise refuse(option, "folder:1 for the first folder, folder:-1 for the last", got) from None


def _missing(table: TextColumns, files: Sequence[tuple[Path | None, ...]]) -> list[Problem]:
    fix = "Set dataset.root to the folder of the files, or dataset.on_error=skip to leave such rows out."
    return [
        Problem(n, f"{table.path}, row {n + 2}", "the file of an image", _row(table, n), fix)
        for n, row in enumerate(files)
        if None in row
    ]


def _row(table: TextColumns, number: int) -> str:
    """A row in a few words."""
    return "no file for " + ", ".join(text for text in table.row(number).values() if text)[:100]


def _names(table: TextColumns) -> str:
    return ", ".join(table.columns)


def _once(listing: Listing) -> Listing:
    """The listing without rows that repeat an image, as tables of boxes do; refused where its labels differ."""
    first: dict[tuple[object, ...], int] = {}
    problems = []
    for case, files in enumerate(listing.files):
        earlier = first.setdefault((files, *listing.frames[case : case + 1]), case)
        if any(texts[case] != texts[earlier] for texts in listing.labels.values()):
            expected = "one label in all rows of an image"
            problems.append(Problem(case, str(files[0]), expected, "several", "Correct the table."))
    usable(len(listing) + 1, problems, "fail")
    if len(first) < len(listing):
        say(f"{len(listing)} rows are of {len(first)} images: each is taken once")
    return listing[list(first.values())]
