"""Kinds of files of images: what the header says, and the pixels as their own library has them."""

from fedmed.data.reading.formats.contract import Header, Pixels, UnreadableError
from fedmed.data.reading.formats.kinds import read_header, read_pixels

__all__ = ["Header", "Pixels", "UnreadableError", "read_header", "read_pixels"]
