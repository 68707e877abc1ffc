"""Damaged and foreign inputs by seed: what lies at a path, and which option names it."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.fuzz.columns import DTYPES, Array, Rng, columns
from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.runs import MAKERS as COMMANDS
from benchmarks.fuzz.runs import whole_run


class Input(NamedTuple):
    """What a user hands over: which kind of fault it has, at which option, and where it lies.

    words: of the command that reads it, where `option` is "command"; called in the folder `path`.
    """

    kind: str
    option: str
    path: Path
    words: tuple[str, ...] = ()


def make(seed: int, number: int, folder: Path) -> Input:
    """The input of that number, written into an empty folder."""
    kind, rng = kind_of(seed, number), np.random.default_rng([seed, number])
    if kind in COMMANDS:
        return Input(kind, "command", folder, COMMANDS[kind](rng, folder))
    option, path = MAKERS[kind](rng, folder)
    if kind == "foreign arrays" and rng.random() < TRAINED:
        return Input("trained", "command", folder, whole_run(path))
    return Input(kind, option, path)


def kind_of(seed: int, number: int) -> str:
    """The kind of the input of that number."""
    return KINDS[int(np.random.default_rng([seed, number, 1]).integers(len(KINDS)))]


def _options(rng: Rng) -> str:
    return ("dataset", "dataset", "dataset", "predict", "partition")[int(rng.integers(5))]


def _archive(arrays: Mapping[str, Any], *, packed: bool) -> bytes:
    buffer = io.BytesIO()
    with np.errstate(all="ignore"):
        (np.savez_compressed if packed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def _sound(rng: Rng) -> dict[str, Array]:
    rows = int(rng.integers(4, 20))
    return {"images": rng.integers(0, 256, (rows, 6, 6), dtype=np.uint8), "labels": np.arange(rows) % 2}


def _damaged_npz(rng: Rng, folder: Path) -> tuple[str, Path]:
    option = _options(rng)
    arrays = {f"client_{k}": np.arange(k * 3, k * 3 + 3) for k in range(4)} if option == "partition" else _sound(rng)
    path = folder / "damaged.npz"
    path.write_bytes(damaged(_archive(arrays, packed=rng.random() < 0.5), rng))
    return option, path


def _foreign_arrays(rng: Rng, folder: Path) -> tuple[str, Path]:
    path = folder / "foreign.npz"
    path.write_bytes(_archive(columns(rng, int(rng.integers(0, 20))), packed=False))
    return ("dataset", "dataset", "dataset", "predict")[int(rng.integers(4))], path


def _declared(rng: Rng, folder: Path) -> tuple[str, Path]:
    """Arrays whose headers say another size, type or version than they have."""
    sizes = (-1, 0, 1, 6, 10**6, 2**31, 2**40, 2**62, 2**64)
    shape = tuple(sizes[int(i)] for i in rng.integers(0, len(sizes), int(rng.integers(0, 5))))
    texts = ("|u1", "|O", "<f4", ">i8", "<U999999999", "|V0", "nonsense", "|S0", DTYPES[int(rng.integers(len(DTYPES)))])
    header = repr({"descr": texts[int(rng.integers(len(texts)))], "fortran_order": rng.random() < 0.5, "shape": shape})
    header = header[: int(rng.integers(len(header)))] if rng.random() < 0.1 else header
    version = ((1, 0), (1, 0), (2, 0), (3, 0), (9, 9))[int(rng.integers(5))]
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    member = b"\x93NUMPY" + bytes(version) + length + header.encode() + rng.bytes(int(rng.integers(0, 600)))
    content = _archive(_sound(rng), packed=False)
    return _options(rng), _zipped(folder, {"images.npy": member, "labels.npy": _member(content, "labels.npy")})


def _member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def _zipped(folder: Path, members: Mapping[str, bytes], twice: str = "") -> Path:
    path = folder / "zipped.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if twice:
            archive.writestr(twice, b"again")
    return path


def _odd_archive(rng: Rng, folder: Path) -> tuple[str, Path]:
    """Bombs, repeated names, members that are no arrays, archives without members."""
    images = io.BytesIO()
    np.save(images, np.zeros((int(rng.integers(1, 3)) * 10**4, 28, 28), np.uint8))
    sets: tuple[tuple[dict[str, bytes], str], ...] = (
        ({"images.npy": images.getvalue()}, ""),
        ({"images.npy": images.getvalue()[:128] + bytes(10**7)}, ""),
        ({"images.npy": images.getvalue(), "labels.npy": b""}, ""),
        ({"a/images.npy": b"x", "readme.txt": b"hello"}, ""),
        ({"images.npy": b"x", "labels.npy": b"y"}, "images.npy"),
        ({"images": b"\x93NUMPY", "labels.npy": b"\x80\x04K\x01."}, ""),
        ({"../../images.npy": b"x", "/": b""}, ""),
        ({}, ""),
    )
    members, twice = sets[int(rng.integers(len(sets)))]
    return _options(rng), _zipped(folder, members, twice)


TRAINED = 0.3
"""Share of the foreign arrays that a whole run is made of."""

HEADS = (
    *(b"", b"\n", b"{}", b"[[0,1]]", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\x00"),
    *(b"BM", bytes(128) + b"DICM", bytes(344) + b"n+1\x00", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08", b"PK"),
    *(b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x93NUMPY\x01\x00", b"\x80\x04\x95", b"%PDF-1.4", b"NRRD0004"),
    *(b"MATLAB 5.0", b"\xef\xbb\xbf[]"),
)
"""How files of other kinds begin."""


def _other_kind(rng: Rng, folder: Path) -> tuple[str, Path]:
    option = (_options(rng), "sampling")[int(rng.integers(2))]
    suffix = ("npz", "json", "png", "dcm", "csv")[int(rng.integers(5))]
    path = folder / f"file.{suffix}"
    path.write_bytes(HEADS[int(rng.integers(len(HEADS)))] + rng.bytes(int(rng.integers(0, 400))))
    return option, path


def _no_file(rng: Rng, folder: Path) -> tuple[str, Path]:
    """Folders, pipes, devices, links to nowhere or in a circle, names that cannot be, and files nobody may read."""
    option = (_options(rng), "sampling")[int(rng.integers(2))]
    suffix = (".npz", ".json", "")[int(rng.integers(3))]
    path = folder / f"place{suffix}"
    ways: tuple[Callable[[], object], ...] = (
        lambda: None,
        path.mkdir,
        lambda: os.mkfifo(path),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to(folder / "nowhere"),
        lambda: path.symlink_to(path),
        lambda: path.symlink_to("/dev/full"),
    )
    names = (Path(f"{folder}/a\x00b{suffix}"), folder / ("x" * 300 + suffix), folder / "a.npz" / f"b{suffix}", Path(""))
    number = int(rng.integers(len(ways) + len(names)))
    if number >= len(ways):
        return option, names[number - len(ways)]
    ways[number]()
    return option, path


def _lists(rng: Rng, folder: Path) -> tuple[str, Path]:
    """Partition files: other values, other nesting, and damaged text."""
    values = (0, 1, 3, 7, -1, 0.5, 10**9, 2**63, 10**400, None, True, "1", [], {}, [[1]], float("nan"), "é")
    lists: Any = [[0, 1], [2, 3], [4]]
    for _ in range(int(rng.integers(0, 4))):
        lists[int(rng.integers(3))].append(values[int(rng.integers(len(values)))])
    whole = (lists, lists, lists, {"a": lists}, lists[0], 3, None, [], [[]], [[], [0]])[int(rng.integers(10))]
    text = b"[" * 100_000 if rng.random() < 0.02 else json.dumps(whole).encode()
    path = folder / "lists.json"
    path.write_bytes(damaged(text, rng) if rng.random() < 0.5 else text)
    return "partition", path


def _trace(rng: Rng, folder: Path) -> tuple[str, Path]:
    """Traces of who is available: other cells, other numbers of clients, and damaged text."""
    cells = ("0", "1", " 1", "2", "", "-1", "01", "1.0", "a", "٣", "²", "9" * 5000, "\x00", '"1"', "true")
    lines = [[str(client), "1", "0"] for client in range(4)]
    for _ in range(int(rng.integers(0, 3))):
        line = lines[int(rng.integers(4))]
        line[int(rng.integers(3))] = cells[int(rng.integers(len(cells)))]
    if rng.random() < 0.3:
        lines[int(rng.integers(4))] = [cells[int(i)] for i in rng.integers(0, len(cells), int(rng.integers(0, 4)))]
    text = "\n".join(map(",".join, lines)).encode()
    path = folder / "trace.csv"
    path.write_bytes(damaged(text, rng) if rng.random() < 0.5 else text)
    return "sampling", path


MAKERS: Mapping[str, Callable[[Rng, Path], tuple[str, Path]]] = {
    "damaged bytes": _damaged_npz,
    "foreign arrays": _foreign_arrays,
    "false headers": _declared,
    "odd archives": _odd_archive,
    "other kinds of file": _other_kind,
    "no file": _no_file,
    "partition files": _lists,
    "traces": _trace,
}
KINDS = (
    ("damaged bytes",) * 4 + ("foreign arrays",) * 9 + ("false headers",) * 2 + tuple(MAKERS)[3:] + tuple(COMMANDS) * 2
)
"""Kinds as often as they are drawn."""
