"""The source of a class, wherever it was written: in a file, a script or a notebook."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from fedmed.options.source import sources


def sources_of(cls: type) -> list[bytes]:
    """The source files of a class and of the private modules that it imports; of a class of a notebook its own text."""
    try:
        return [file.read_bytes() for file in sources(Path(inspect.getfile(cls)))]
    except (TypeError, OSError):  # a notebook has no file
        return [text.encode() for text in _functions(cls)]


def digest_of(classes: Iterable[type]) -> str:
    """A digest of the sources of classes, in order."""
    digest = blake2b(digest_size=16)
    for source in (source for cls in classes for source in sources_of(cls)):
        digest.update(blake2b(source).digest())
    return digest.hexdigest()


def _functions(cls: type) -> Iterator[str]:
    """The text of each function of a class, or its bytecode where nobody has the text."""
    for name, value in sorted(vars(cls).items()):
        if inspect.isfunction(value):
            try:
                yield inspect.getsource(value)
            except OSError:
                yield f"{name} {value.__code__.co_code.hex()} {value.__code__.co_consts!r}"
