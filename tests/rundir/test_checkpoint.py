import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fedmed.errors import UserError
from fedmed.rundir.checkpoint import Checkpoint, load, load_best, load_client, recover, save, save_best
from fedmed.rundir.tensors import pack_weights


def checkpoint(round: int, clients: tuple[int, ...] = ()) -> Checkpoint:
    """Every value tells its round, so that a mixture of two commits shows."""
    return Checkpoint(
        round=round,
        shared={"w": torch.full((4,), float(round)), "b": torch.tensor(round)},
        server={"fedavg": {"m": torch.full((2,), float(round))}, "round": round},
        clients={id: {"c": torch.full((3,), float(round)), "round": round} for id in clients},
        progress={"best": round},
    )


def rounds_in(loaded: Checkpoint) -> set[int]:
    server = [loaded.server["round"], int(loaded.server["fedavg"]["m"][0])]
    return {loaded.round, int(loaded.shared["w"][0]), int(loaded.shared["b"]), *server, loaded.progress["best"]}


def test_nothing_was_ever_committed(tmp_path: Path) -> None:
    assert load(tmp_path / "checkpoints") is None
    assert load_best(tmp_path / "checkpoints") is None
    assert load_client(tmp_path / "checkpoints", 3) == {}


def test_the_last_commit_comes_back_with_the_latest_state_of_every_client(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1, clients=(0, 1)))
    save(tmp_path, checkpoint(2, clients=(1, 12)))
    save(tmp_path, checkpoint(3))
    loaded = load(tmp_path)
    assert loaded is not None
    assert rounds_in(loaded) == {3}
    assert list(loaded.shared) == ["w", "b"]
    assert {id: state["round"] for id, state in loaded.clients.items()} == {0: 1, 1: 2, 12: 2}
    assert load_client(tmp_path, 12)["c"].tolist() == [2, 2, 2]
    assert load_client(tmp_path, 5) == {}


def test_only_the_files_of_the_last_commit_remain_and_unchanged_clients_are_not_rewritten(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1, clients=(0, 1)))
    written = (tmp_path / "client_0_1.pt").stat().st_mtime_ns
    save(tmp_path, checkpoint(2, clients=(1,)))
    names = {"checkpoint.json", "model_2.safetensors", "server_2.pt", "client_0_1.pt", "client_1_2.pt"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "client_0_1.pt").stat().st_mtime_ns == written


def test_a_round_is_committed_once(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(2))
    with pytest.raises(ValueError, match="round 2, which is already committed"):
        save(tmp_path, checkpoint(2))


class Killed(BaseException):
    """Stands for a kill: raised at the n-th step, and from then on at every step, so that nothing is tidied up."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Every call that changes the disk counts as a step; a killed write of a state leaves half of the file."""
    left = [step]

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise Killed
            return call(*args, **kwargs)

        return wrapped

    for name in ("replace", "fsync", "unlink"):
        monkeypatch.setattr(os, name, mortal(getattr(os, name)))
    monkeypatch.setattr(torch, "save", mortal(torch.save))


def test_a_kill_at_any_step_leaves_a_whole_commit(tmp_path: Path) -> None:
    survived, outcomes = False, []
    for step in range(1, 60):
        folder = tmp_path / str(step)
        save(folder, checkpoint(1, clients=(0, 1)))
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, step)
            try:
                save(folder, checkpoint(2, clients=(1, 2)))
                survived = True
            except Killed:
                pass
        loaded = recover(folder)
        assert loaded is not None
        assert rounds_in(loaded) == {loaded.round}
        clients = {id: state["round"] for id, state in loaded.clients.items()}
        assert clients == ({0: 1, 1: 1} if loaded.round == 1 else {0: 1, 1: 2, 2: 2})
        outcomes.append(loaded.round)
        save(folder, checkpoint(3))
        assert {path.name.split("_")[0] for path in folder.iterdir()} <= {
            "checkpoint.json",
            "model",
            "server",
            "client",
        }
        assert len(list(folder.glob("model_*"))) == 1
        if survived:
            break
    assert survived
    assert outcomes == sorted(outcomes)
    assert outcomes.count(1) > 8
    assert outcomes.count(2) > 3


def test_a_kill_during_the_first_commit_leaves_none(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(Killed):
            save(tmp_path, checkpoint(1))
    assert load(tmp_path) is None
    save(tmp_path, checkpoint(1))
    assert load(tmp_path) is not None


@pytest.mark.parametrize("name", ["model_1.safetensors", "server_1.pt", "client_7_1.pt"])
def test_a_missing_or_cut_file_is_named(tmp_path: Path, name: str) -> None:
    save(tmp_path, checkpoint(1, clients=(7,)))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-1])
    with pytest.raises(UserError, match=f"{name}: expected {len(content)} bytes, got {len(content) - 1}"):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"{name}: expected a file"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", '{"format": 1, "round"', '{"format": 1, "colour": 3}', '{"format": 9}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    save(tmp_path, checkpoint(1))
    (tmp_path / "checkpoint.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"checkpoint\.json"):
        load(tmp_path)


def test_the_best_round_stays_beside_later_commits(tmp_path: Path) -> None:
    save_best(tmp_path, 1, {"b": torch.ones(2), "a": torch.zeros(1)})
    save_best(tmp_path, 2, {"b": torch.full((2,), 2.0), "a": torch.zeros(1)})
    save(tmp_path, checkpoint(3))
    save(tmp_path, checkpoint(4))
    found = load_best(tmp_path)
    assert found is not None
    assert found[0] == 2
    assert list(found[1]) == ["b", "a"]
    assert found[1]["b"].tolist() == [2, 2]


def test_a_commit_waits_once_per_file_and_twice_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (waits.append(file), sync(file)))
    save(tmp_path, checkpoint(1, clients=(0, 1)))
    assert len(waits) == 2 + 2 + 1 + 2  # model and server, clients, manifest, folder


def test_what_a_killed_commit_left_is_removed_when_the_run_goes_on(tmp_path: Path) -> None:
    save(tmp_path, Checkpoint(round=1, shared={"w": torch.ones(2)}, clients={3: {"n": 1}}))
    for name in ("model_2.safetensors", "server_2.pt", "client_3_2.pt"):
        (tmp_path / name).write_bytes(b"half")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert load(tmp_path) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    saved = recover(tmp_path)
    assert saved is not None
    assert saved.clients == {3: {"n": 1}}
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint.json",
        "model_1.safetensors",
        "server_1.pt",
        "client_3_1.pt",
    }
    assert recover(tmp_path / "nowhere") is None


@pytest.mark.parametrize("name", ["model_2.safetensors", "server_2.pt", "client_7_1.pt", "checkpoint.json"])
def test_one_flipped_bit_anywhere_is_noticed_and_the_file_named(tmp_path: Path, name: str) -> None:
    save(tmp_path, checkpoint(1, clients=(7,)))
    save(tmp_path, checkpoint(2))
    path = tmp_path / name
    content = path.read_bytes()
    accepted = [place for place in range(0, 8 * len(content), 101) if read_flipped(path, content, place) is not None]
    assert accepted == []
    path.write_bytes(content)
    assert load(tmp_path) is not None


def test_one_flipped_bit_of_the_best_round_is_noticed(tmp_path: Path) -> None:
    save_best(tmp_path, 1, {"b": torch.ones(5), "a": torch.zeros(1)})
    path = tmp_path / "best.safetensors"
    content = path.read_bytes()
    for place in range(0, 8 * len(content), 11):
        path.write_bytes(flipped(content, place))
        with pytest.raises(UserError, match=r"best\.safetensors"):
            load_best(tmp_path)


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def read_flipped(path: Path, content: bytes, place: int) -> Checkpoint | None:
    path.write_bytes(flipped(content, place))
    try:
        return load(path.parent)
    except UserError as error:
        return None if path.name in str(error) else Checkpoint(round=-1, shared={})


def test_checkpoints_of_earlier_versions_have_no_digests_and_are_read_by_size(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(1, clients=(0, 1)))
    manifest = json.loads((tmp_path / "checkpoint.json").read_text(encoding="utf-8"))
    del manifest["digests"], manifest["digest"]
    (tmp_path / "checkpoint.json").write_text(json.dumps(manifest), encoding="utf-8")
    (tmp_path / "best.safetensors").write_bytes(pack_weights({"w": torch.ones(1)}, {"round": "1"}))
    loaded, best = load(tmp_path), load_best(tmp_path)
    assert loaded is not None
    assert best is not None
    assert best[0] == 1
    save(tmp_path, checkpoint(2, clients=(1,)))
    later = load(tmp_path)
    assert later is not None
    assert {id: state["round"] for id, state in later.clients.items()} == {0: 1, 1: 2}


def test_a_commit_removes_nothing_outside_its_folder(tmp_path: Path) -> None:
    folder, mine = tmp_path / "of a stranger", tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    save(folder, checkpoint(1))
    manifest = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))
    del manifest["digest"]
    manifest["files"] |= {"../mine.txt": 4, str(mine): 4}
    (folder / "checkpoint.json").write_text(json.dumps(manifest), encoding="utf-8")
    for use in (lambda: save(folder, checkpoint(2)), lambda: recover(folder)):
        with pytest.raises(UserError, match=r"checkpoint\.json"):
            use()
    assert mine.read_text(encoding="utf-8") == "mine"


def test_checkpoints_that_are_links_are_refused(tmp_path: Path) -> None:
    folder, other = tmp_path / "of a stranger", tmp_path / "mine"
    save(folder, checkpoint(1))
    save_best(folder, 1, {"w": torch.ones(1)})
    save(other, checkpoint(2))
    for name in ("server_1.pt", "best.safetensors"):
        (folder / name).rename(tmp_path / name)
        (folder / name).symlink_to(tmp_path / name)
    (tmp_path / "link").symlink_to(other)
    for read in (lambda: load(folder), lambda: load_best(folder), lambda: recover(tmp_path / "link")):
        with pytest.raises(UserError, match="a link"):
            read()
    assert load(other) is not None
