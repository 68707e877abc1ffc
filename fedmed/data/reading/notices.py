"""What a reader guessed, said where the progress of downloads is said: on standard error."""

from __future__ import annotations

import sys

from fedmed.errors import visible


def say(text: str) -> None:
    """One line about what was guessed, left out or built."""
    print(visible(f"dataset: {text}"), file=sys.stderr)
