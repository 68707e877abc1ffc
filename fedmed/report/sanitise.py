"""Text of strangers as a page shows it: nothing in it acts on what stands around it."""

from __future__ import annotations

import re

ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What controls a terminal, is no character of XML, or turns the direction of the text after it."""


def printable(text: str) -> str:
    """The text, with a replacement character where one would act."""
    return ACTING.sub("\ufffd", text)
