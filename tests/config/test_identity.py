"""What of a config tells runs apart, and what users' files have to do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed.config.identity import UNIDENTIFIED, digest_of_files, files_beside, identified
from fedmed.config.values import Config
from fedmed.options.groups import GROUPS


def config(group: str, file: Path, **fields: str) -> Config:
    node = {"_target_": f"{file}:Mine", **fields}
    return Config({group: {"mine": node} if group == "strategy" else node})


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in UNIDENTIFIED])
def test_code_of_ones_own_is_known_by_what_it_says_in_every_group(group: str, tmp_path: Path) -> None:
    found = []
    for folder, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"VALUE = {text}\n", encoding="utf-8")
        found.append(identified(config(group, tmp_path / folder / "mine.py")))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in UNIDENTIFIED])
def test_its_private_modules_and_what_it_reads_stand_beside_it(group: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import _inner\n", encoding="utf-8")
    inner, read = tmp_path / "_inner.py", tmp_path / "table.csv"
    inner.write_text("VALUE = 1\n", encoding="utf-8")
    found = files_beside(config(group, tmp_path / "mine.py", path=str(read)))
    known = group in ("dataset", "partition", "sampling")  # by the images, rows and traces that it gives
    assert found == ([inner] if known else [inner, read])


def test_files_are_known_by_what_they_hold_and_none_by_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1", encoding="utf-8")
    other.write_text("1", encoding="utf-8")
    assert digest_of_files([one]) == digest_of_files([other]) != digest_of_files([])
    before = digest_of_files([one, other])
    other.write_text("2", encoding="utf-8")
    assert digest_of_files([one, other]) != before
    assert digest_of_files([]) == ""


def test_who_follows_a_run_and_where_it_runs_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import _inner\n", encoding="utf-8")
    (tmp_path / "_inner.py").write_text("", encoding="utf-8")
    assert files_beside(config("tracking", tmp_path / "mine.py")) == []
