import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fedmed.files import replacing, without_links, write_atomically, write_synced


def test_content_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old é")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_reader_that_has_the_old_file_open_keeps_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")
    with path.open(encoding="utf-8") as reader:
        write_atomically(path, "new")
        assert reader.read() == "old"


def test_an_error_while_writing_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text(encoding="utf-8") == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_new_files_report_their_size(tmp_path: Path) -> None:
    assert write_synced(tmp_path / "a", b"12345") == 5


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "of a stranger"
    victim.write_text("mine", encoding="utf-8")
    folder.mkdir()
    for name in (".a.html.tmp", "a.html", "model_1.pt", "rows.jsonl"):
        (folder / name).symlink_to(victim)
    write_atomically(folder / "a.html", "page")
    write_synced(folder / "model_1.pt", b"weights")
    with pytest.raises(OSError, match=r"rows\.jsonl"), open(folder / "rows.jsonl", "ab", opener=without_links):
        pass
    assert victim.read_text(encoding="utf-8") == "mine"
    assert (folder / "a.html").read_text(encoding="utf-8") == "page"
    assert not (folder / "a.html").is_symlink()


def test_many_write_one_file_at_once_and_each_writes_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "federation.png"
    contents = [bytes([65 + number]) * 50_000 for number in range(8)]

    def write(content: bytes) -> None:
        for _ in range(20):
            with replacing(path) as file:
                file.write(content[:25_000])
                file.write(content[25_000:])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contents))
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["federation.png"]


def test_what_a_killed_writer_left_goes_with_the_next_write_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    dying = "import os, sys; from pathlib import Path; from fedmed.files import replacing\n"
    dying += "with replacing(Path(sys.argv[1])) as file: os._exit(9)"
    assert subprocess.run([sys.executable, "-c", dying, path], check=False).returncode == 9
    assert [p.suffix for p in tmp_path.iterdir()] == [".tmp"]
    with replacing(path) as living:
        write_atomically(path, "meanwhile")
        living.write(b"last")
    assert path.read_text(encoding="utf-8") == "last"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_files_are_as_open_to_others_as_the_umask_allows(tmp_path: Path) -> None:
    write_atomically(tmp_path / "written", "")
    (tmp_path / "plain").write_text("", encoding="utf-8")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(sys.getfilesystemencoding() == "ascii", reason="names are ascii only in this locale")
def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("é" * 127), "long")
    assert (tmp_path / ("é" * 127)).read_text(encoding="utf-8") == "long"
