"""`fedmed data check` on whole sets."""

from __future__ import annotations

from pathlib import Path

from tests.data.trees import picture, pictures, table
from tests.fresh import Fedmed


def test_it_says_what_a_folder_holds(fedmed: Fedmed, tmp_path: Path) -> None:
    pictures(tmp_path, [f"set/{s}/{c}/{n}.png" for s in ("train", "test") for c in "ab" for n in range(4)])
    same = picture(tmp_path / "set/train/a/0.png")
    picture(tmp_path / "set/test/b/0.png", same)
    code, out, err = fedmed("data", "check", "dataset=folder", "dataset.path=set")
    assert (code, err) == (0, "dataset: folders read as dataset.pattern={split}/{class}/*\n")
    assert "16 images" in out
    assert "equal images in several splits: 1" in out
    assert (tmp_path / "contact_sheet.png").is_file()


def test_damaged_files_are_named_or_left_out(fedmed: Fedmed, tmp_path: Path) -> None:
    pictures(tmp_path, [f"set/{c}/{n}.png" for c in "ab" for n in range(6)])
    for n in (1, 2):
        (tmp_path / f"set/a/{n}.png").write_bytes(b"")
    words = ("data", "check", "dataset=folder", "dataset.path=set", "--no-png")
    code, out, err = fedmed(*words)
    assert (code, out) == (2, "")
    assert "a/1.png: expected a file that can be read" in err
    assert "a/2.png" in err
    code, out, err = fedmed(*words, "dataset.on_error=skip")
    assert code == 0
    assert "2 of 12 images left out" in err
    assert "10 images" in out


def test_a_template_needs_no_quotes(fedmed: Fedmed, tmp_path: Path) -> None:
    rows = [{"who": n, "label": n % 2, "hospital": n % 3} for n in range(12)]
    pictures(tmp_path, [f"img/p{row['who']}.png" for row in rows])
    table(tmp_path / "t.csv", rows)
    words = ["dataset=table", "dataset.path=t.csv", "dataset.image=img/p{who}.png", "dataset.site=hospital"]
    code, out, err = fedmed("data", "check", "--no-png", *words, r"dataset.patient=p(\d+)\.png")
    assert (code, "dataset.label=label" in err) == (0, True), err
    assert [line.split()[0] for line in out.splitlines()[2:6]] == ["site", "0", "1", "2"]
