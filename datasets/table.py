"""Images of your own: a table (CSV, TSV, parquet) that names their files, labels, sites, patients and splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedmed.data.reading.listing import Listing
from fedmed.data.reading.table_listing import TableColumns, table_listing
from fedmed.data.reading.text_columns import joined, read_text_columns
from fedmed.datasets._image_files import ImageFiles


@dataclass(frozen=True, kw_only=True)
class ImageTable(ImageFiles):
    r"""A table that names images and what is known of them.

    Of the options that every set of files has: mask is a column or a template of columns; channels are columns, or what
    stands for {} in the template of dataset.image.

    root: folder from which files are named (null: that of the table).
    join: a second table whose columns are added (empty: none).
    on: columns by which rows of the two tables belong together, left:right where names differ (empty: those of one
        name).
    image: the column of images, with or without ending, or a template such as {patient}/{patient}_{slice:.3}.png
        (empty: guessed and said).
    label: columns of labels: a class, findings in one text, one-hot, or 0 and 1 for each finding (empty: guessed).
    site, patient, split: a column, a regular expression with a group on the image's path, such as (patient\d+),
        a level of folders, such as folder:1 or folder:-1, or none (empty: a column of a usual name).
    frames: columns of frames, counted from 0, of volumes that move: each of a row's is an image (empty: no frames).
    attributes: columns that say more about images, such as age and sex.
    """

    root: str | None = None
    join: str = ""
    on: tuple[str, ...] = ()
    image: str = ""
    label: tuple[str, ...] = ()
    site: str = ""
    patient: str = ""
    split: str = ""
    frames: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()

    def listing(self) -> Listing:
        path = Path(self.path).expanduser()
        table = read_text_columns(path, "dataset.path")
        if self.join:
            table = joined(table, read_text_columns(Path(self.join).expanduser(), "dataset.join"), self.on)
        root = path.parent if self.root is None else Path(self.root).expanduser()
        columns = TableColumns(
            image=self.image,
            mask="" if self.mask == "auto" else self.mask,
            channels=self.channels,
            label=self.label,
            site=self.site,
            patient=self.patient,
            split=self.split,
            attributes=self.attributes,
            frames=self.frames,
        )
        return table_listing(table, root, columns, self.on_error, segmentation=self.task == "segmentation")
