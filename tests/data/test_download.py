import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fedmed.data import download
from fedmed.data.download import fetch, md5_of
from fedmed.errors import UserError

CONTENT = b"pixels" * 300_000  # more than one chunk
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/none":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) + (99 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def get(url, target, md5=MD5):
    fetch(url, target, option="dataset.root", md5=md5)


def test_a_file_arrives_whole_and_the_progress_is_told(server, tmp_path, capsys):
    target = tmp_path / "new" / "a.npz"
    get(f"{server}/a", target)
    assert md5_of(target) == MD5
    assert [file.name for file in target.parent.iterdir()] == ["a.npz"]
    message = capsys.readouterr()
    assert message.out == ""
    assert "Downloading a.npz: 1.8 of 1.8 MB" in message.err


def test_without_a_checksum_the_file_is_taken_as_it_comes(server, tmp_path):
    get(f"{server}/a", tmp_path / "a.npz", md5=None)
    assert (tmp_path / "a.npz").read_bytes() == CONTENT


@pytest.mark.parametrize(("page", "md5", "got"), [("a", "0" * 32, MD5), ("none", MD5, "404"), ("short", None, "broke")])
def test_a_wrong_absent_or_short_file_leaves_the_old_one_and_nothing_else(server, tmp_path, page, md5, got):
    target = tmp_path / "a.npz"
    target.write_bytes(b"old")
    with pytest.raises(UserError, match=got):
        get(f"{server}/{page}", target, md5=md5)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_without_a_network_the_error_says_how_to_bring_the_file_by_hand(tmp_path):
    with socket.socket() as taken:  # bound but not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.npz"
        with pytest.raises(UserError) as caught:
            get(url, tmp_path / "a.npz")
    for part in ("a.npz", url, MD5, str(tmp_path / "a.npz")):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_of_the_same_form(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="put it at"):
        get(f"{server}/a", tmp_path / "file" / "a.npz")


def test_a_silent_server_counts_as_no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UserError, match="timed out"):
            get(f"http://127.0.0.1:{silent.getsockname()[1]}/a", tmp_path / "a.npz")
