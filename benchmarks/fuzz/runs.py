"""Run directories and weights that were damaged, as they come from others or from a bad disk; and words of commands."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from benchmarks.fuzz.columns import Rng
from benchmarks.fuzz.damage import damaged
from fedmed.cli.main import main
from fedmed.experiment import Experiment
from fedmed.optimizers import Optimizer
from fedmed.options.catalogue import discover
from fedmed.options.groups import GROUPS

TINY = (
    *("run", "-q", "rounds=2", "clients=2", "local_steps=1", "engine=inprocess", "dataset.images=30"),
    *("dataset.test_images=6", "dataset.side=16", "model.width=2"),
)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("run", "-q", "resume=kept", "rounds=3"),
    ("run", "-q", "resume=kept"),
    ("predict", "kept", "images.npz"),
    ("export", "kept", "--out", "w.safetensors"),
    ("export", "--best", "kept", "--out", "w.safetensors"),
    ("report", "kept"),
    ("report", "."),
    ("compare", "--from", "."),
    ("watch", "--once", "."),
)
VALUES: tuple[Any, ...] = (
    *(None, True, "", "x", "é\u202e", "\x00", [], {}, [1], {"a": 1}, 0, -1, 3, 0.5, 10**9, 10**40, 2**63, 1e300),
    *(float("nan"), float("inf"), "nan", "../../etc/passwd", "/dev/zero", "${oc.env:HOME}", "os.system", "a\nb"),
)
TEXTS = (
    *("", "null", "nan", "inf", "-1", "0", "1", "2", "0.5", "1e400", "9" * 400, "true", "text", "é", "[1,2]", "[", "]"),
    *("{a:1}", "{", "'", '"', "'a", "a b", "a=b", "${x}", "${oc.env:HOME}", "${", "\\", "../x", "x.py:Y", "x.py:"),
    *(":Y", "a,b", "1,2", "choice(1,2)", "range(3)", "glob(*)", "int(3)", "-", "+", "~", "#", "\t", "1_000", "0x10"),
    *(
        "/dev/zero",
        "/",
        ".",
        "a\x00b",
        "\uff26\uff35\uff2c\uff2c",
        "\U0001d7d9",
        "x" * 5000,
        "fedavg",
        "cpu",
        "cuda:9",
        "gpu",
    ),
)


def damaged_run(rng: Rng, folder: Path) -> tuple[str, ...]:
    """A run directory in the folder with one or two damaged files; the words of a command that reads it."""
    shutil.copytree(_sound_run() / "kept", folder / "kept")
    shutil.copy(_sound_run() / "images.npz", folder)
    files = sorted(path for path in (folder / "kept").rglob("*") if path.is_file() and path.suffix != ".html")
    for _ in range(int(rng.integers(1, 3))):
        file = files.pop(int(rng.integers(len(files))))
        WAYS[int(rng.integers(len(WAYS)))](file, rng)
    return COMMANDS[int(rng.integers(len(COMMANDS)))]


def damaged_weights(rng: Rng, folder: Path) -> tuple[str, ...]:
    """Weights of a model in the folder, damaged; the words of a run that begins with them."""
    file = folder / "w.safetensors"
    content = (_sound_run() / "w.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    if rng.random() < 0.5:
        header = json.dumps(_other(json.loads(content[8 : 8 + length]), rng)).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])
    else:
        file.write_bytes(damaged(content, rng))
    return (*TINY, "rounds=1", "model.weights=w.safetensors")


def odd_options(rng: Rng, folder: Path) -> tuple[str, ...]:
    """Words of `describe` or of `run` that only shows its configuration: one to three options with odd values."""
    names = _names()
    words = []
    for _ in range(int(rng.integers(1, 4))):
        name, text = names[int(rng.integers(len(names)))], TEXTS[int(rng.integers(len(TEXTS)))]
        forms = (f"{name}={text}",) * 6 + (f"+{name}={text}", f"~{name}", f"++{name}={text}", name, f"{name}.{text}=1")
        words.append(forms[int(rng.integers(len(forms)))])
    if rng.random() < 0.2:
        return ("run", *words, "--cfg", ("job", "hydra", "all")[int(rng.integers(3))])
    return ("describe", "--no-png", *TINY[3:], *words)


def whole_run(path: Path) -> tuple[str, ...]:
    """Words of a run on the images at a path."""
    return ("run", "-q", *TINY[2:6], "rounds=1", "dataset=npz", f"dataset.path={path}", "model.width=2")


@cache
def _names() -> tuple[str, ...]:
    """Names of options, known and unknown."""
    parts = {
        f"{group}.{field.name}"
        for group, options in discover().options.items()
        for option in options.values()
        for field in option.fields
    }
    found = {field.name for field in fields(Experiment)} | {f"optimizer.{field.name}" for field in fields(Optimizer)}
    return tuple(sorted(found | parts | {*GROUPS, "experiment", "nonsense", "hydra.run.dir", "dataset.nonsense"}))


@cache
def _sound_run() -> Path:
    """A folder with a run, images for it, and its weights."""
    folder = Path(mkdtemp(prefix="fuzz"))
    np.savez(folder / "images.npz", images=np.zeros((3, 16, 16), np.uint8))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main([*TINY, f"hydra.run.dir={folder / 'kept'}"]) == 0
        assert main(["export", str(folder / "kept"), "--out", str(folder / "w.safetensors")]) == 0
    return folder


def _other(value: Any, rng: Rng) -> Any:
    """The value with one part of it replaced, taken out or put in, somewhere below."""
    odd = VALUES[int(rng.integers(len(VALUES)))]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = sorted(value)[int(rng.integers(len(value)))]
        if rng.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: _other(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = int(rng.integers(len(value)))
        return [*value[:at], _other(value[at], rng), *value[at + 1 :]]
    return odd


def _bytes(path: Path, rng: Rng) -> None:
    path.write_bytes(damaged(path.read_bytes(), rng))


def _meaning(path: Path, rng: Rng) -> None:
    """JSON that stays JSON, and says something else."""
    if path.suffix not in (".json", ".jsonl"):
        return _bytes(path, rng)
    lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text("utf-8")]
    if lines:
        at = int(rng.integers(len(lines)))
        lines[at] = json.dumps(_other(json.loads(lines[at]), rng))
    path.write_text("\n".join(lines), encoding="utf-8")
    return None


def _words(path: Path, rng: Rng) -> None:
    """A line of text that says something else."""
    if path.suffix not in (".yaml", ".csv"):
        return _meaning(path, rng)
    lines = path.read_text(encoding="utf-8").splitlines() or [""]
    at = int(rng.integers(len(lines)))
    mark = ":" if path.suffix == ".yaml" else ","
    lines[at] = f"{lines[at].rpartition(mark)[0]}{mark} {TEXTS[int(rng.integers(len(TEXTS)))]}"
    path.write_text("\n".join(lines), encoding="utf-8")
    return None


def _gone(path: Path, rng: Rng) -> None:
    path.unlink(missing_ok=True)


def _folder(path: Path, rng: Rng) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _foreign(path: Path, rng: Rng) -> None:
    path.write_bytes((b"", b"[]", b"null", b"{}", b"\x89PNG", b"a: b", rng.bytes(300))[int(rng.integers(7))])


WAYS: tuple[Callable[[Path, Rng], None], ...] = (
    *(_bytes, _bytes, _meaning, _meaning, _meaning, _words, _words, _gone, _folder, _foreign),
)

MAKERS: Mapping[str, Callable[[Rng, Path], tuple[str, ...]]] = {
    "run directories": damaged_run,
    "weights": damaged_weights,
    "options": odd_options,
}
