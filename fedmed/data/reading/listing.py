"""Which files make the images of a set, and what is known about each, before a pixel is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The cases of a set; every sequence has one entry per case, or is empty where nothing is known.

    files: the files of a case, whose channels follow one another. masks: its mask, None where it has none.
    labels: texts by the name of their column. site, patient, split: texts. attributes: texts by name.
    frames: which frame of a file that holds several is the case's, from 0.
    where: what was read, for errors: the table's path or the folder.
    """

    files: Sequence[tuple[Path, ...]]
    where: Path
    masks: Sequence[Path | None] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    site: Sequence[str] = ()
    patient: Sequence[str] = ()
    split: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    frames: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, cases: Sequence[int]) -> Listing:
        """The chosen cases, in that order."""

        def of(values: Sequence[T]) -> list[T]:
            return [values[case] for case in cases] if values else []

        return replace(
            self,
            files=of(self.files),
            masks=of(self.masks),
            labels={name: of(texts) for name, texts in self.labels.items()},
            site=of(self.site),
            patient=of(self.patient),
            split=of(self.split),
            attributes={name: of(texts) for name, texts in self.attributes.items()},
            frames=of(self.frames),
        )
