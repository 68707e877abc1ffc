"""From the words of a table to files: columns, endings, templates, and names that occur once below a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from fedmed.data.reading.notices import say
from fedmed.data.reading.paths import SUFFIXES, image_files
from fedmed.data.reading.patterns import filled
from fedmed.data.reading.text_columns import TextColumns

IMAGE_COLUMNS = (
    "image", "imagepath", "path", "filepath", "file", "filename", "imagefile", "imgpath", "img", "imageindex",
    "imageid", "imagename", "isicid", "dicomid", "patientid", "id", "case", "subjectid",
)  # fmt: skip
"""Columns that may hold names of images, by their plain names, the most telling first."""


class FileFinder:
    """Finds the files that texts name, below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._suffix = ""
        self._said = False

    def find(self, text: str) -> Path | None:
        """The file at a path below the root or the folder above it, with or without ending, or of a unique name."""
        if not text:
            return None
        for base in (self.root, self.root.parent):
            for suffix in dict.fromkeys((self._suffix, "", *SUFFIXES)):
                if (path := base / f"{text}{suffix}").is_file():
                    self._suffix = suffix
                    return path
        name = text.replace("\\", "/").rpartition("/")[2].lower()
        found = self._by_name.get(name, ())
        if len(found) == 1 and not self._said:
            self._said = True
            say(f"files found by their names alone, such as {found[0].relative_to(self.root)}")
        return found[0] if len(found) == 1 else None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        names: dict[str, list[Path]] = {}
        for file in image_files(self.root):
            path = self.root / file.path
            for name in {(file.stem + file.suffix).lower(), file.stem.lower()}:
                names.setdefault(name, []).append(path)
        return names


def texts_of(table: TextColumns, spec: str, option: str, bare: str = "") -> Sequence[str]:
    """What a column or a template of columns says of every row. bare: what stands for `{}` in a template."""
    if "{" not in spec:
        return table.column(spec, option)
    return [filled(spec, table.row(number), option, bare) for number in range(table.rows)]


def image_column(table: TextColumns, finder: FileFinder) -> str:
    """The column whose first values name files; empty where none does."""
    plain = {table.first_of([name]): None for name in IMAGE_COLUMNS}
    for name in [name for name in {**plain, **dict.fromkeys(table.columns)} if name]:
        if any(finder.find(text) for text in table.columns[name][:3]):
            return name
    return ""
