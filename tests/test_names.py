"""A public class name stands once, so that whoever searches for it finds one thing."""

from __future__ import annotations

from pathlib import Path

from benchmarks.code_budget import repeated_classes


def test_no_public_class_name_stands_twice() -> None:
    assert repeated_classes() == {}


def test_a_name_that_stands_twice_is_found(tmp_path: Path) -> None:
    for name, source in (
        ("fedmed/a.py", "class Cell: ...\nclass _Row: ...\nclass A:\n    class Cell: ..."),
        ("fedmed/b.py", "class _Row: ...\ndef f():\n    class B: ...\nclass B: ..."),
        ("datasets/c.py", "class Cell: ...\nclass C: ..."),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    assert repeated_classes(tmp_path) == {"Cell": ["fedmed.a", "fedmed.datasets.c"]}
