"""Users' files as modules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fedmed.errors import UserError
from fedmed.options.code import resolve


def test_a_file_is_imported_again_where_it_has_changed(tmp_path: Path) -> None:
    """Also one of the same size and time, as an editor may leave it within a second."""
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    mu = 1\n", encoding="utf-8")
    first = resolve(f"{file}:Mine")
    assert resolve(f"{file}:Mine") is first
    before = file.stat()
    file.write_text("class Mine:\n    mu = 2\n", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert resolve(f"{file}:Mine").mu == 2
    file.write_text("class Mine:\n    mu = 1 / 0\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 2.*ZeroDivisionError"):
        resolve(f"{file}:Mine")
    file.write_text("class Mine:\n    mu = 3\n", encoding="utf-8")
    assert resolve(f"{file}:Mine").mu == 3
