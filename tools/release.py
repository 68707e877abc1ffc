"""Checks a release: builds sdist and wheel, installs the wheel in a new environment, and runs it in a neutral folder.

    python -m tools.release [--out dist] [--newest]

Requirements are installed as `constraints.txt` says; with `--newest` the newest that `pyproject.toml` allows, as users
get them. What was checked lies in `--out` afterwards, ready to be uploaded. Where UV_TORCH_BACKEND is set (`cpu`), uv,
which Flower brings, installs that build of torch.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]
FILES = ("pyproject.toml", "README.md", "LICENSE")
TORCH: str = next(line for line in PROJECT["project"]["dependencies"] if line.startswith("torch"))


def main() -> int:
    """Builds, installs and runs; the exit status is 1 where a step failed, whose output is shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where sdist and wheel are left (dist)")
    parser.add_argument("--newest", action="store_true", help="the newest requirements instead of constraints.txt")
    given = parser.parse_args()
    started = perf_counter()
    try:
        with TemporaryDirectory(prefix="fedmed-release-") as folder:
            for line in check(Path(folder), given.out, None if given.newest else ROOT / "constraints.txt"):
                print(f"{perf_counter() - started:5.0f} s  {line}", flush=True)
    except StepError as error:
        print(f"release check: {error}", file=sys.stderr)
        return 1
    return 0


class StepError(Exception):
    """A command of the check failed; the message is the command and what it printed."""


def check(folder: Path, out: Path, constraints: Path | None) -> Iterator[str]:
    """Does the steps in an empty folder, and says of each what was found."""
    version = released()
    yield f"version {version} heads the changelog"
    copy_source(folder / "source")
    python = environment(folder / "build", constraints, *PROJECT["build-system"]["requires"]) / "python"
    sdist = build("sdist", folder / "source", folder / "sdist", python)
    shutil.unpack_archive(sdist, folder / "unpacked", filter="data")
    wheel = build("wheel", next((folder / "unpacked").iterdir()), folder / "wheel", python)
    yield f"built {sdist.name}, and of it {wheel.name}"
    programs = environment(folder / "environment", constraints, TORCH, wheel)
    yield "installed the wheel and its requirements in a new environment"
    neutral = folder / "elsewhere"
    neutral.mkdir()
    yield from use(programs, neutral, version)
    out.mkdir(parents=True, exist_ok=True)
    for made in (sdist, wheel):
        shutil.copy(made, out)
        yield f"{out / made.name}  {made.stat().st_size:,} bytes  sha256 {sha256(made.read_bytes()).hexdigest()}"


def use(programs: Path, folder: Path, version: str) -> Iterator[str]:
    """Runs what a user runs first, in a folder that holds nothing."""
    run(programs / "python", "-m", "pip", "check", cwd=folder)
    yield "requirements agree with each other"
    where = run(programs / "python", "-c", "import fedmed; print(fedmed.__file__)", cwd=folder).strip()
    if not Path(where).is_relative_to(programs.parent):
        raise StepError(f"import fedmed found {where}, not what was installed in {programs.parent}")
    if (output := run(programs / "fedmed", "--version", cwd=folder)) != f"fedmed {version}\n":
        raise StepError(f"fedmed --version says {output!r}, not {version}")
    run(programs / "fedmed", "doctor", cwd=folder)
    final = json.loads(run(programs / "fedmed", "run", "experiment=smoke", "--json", cwd=folder).splitlines()[-1])
    yield f"ran experiment=smoke: accuracy {final['test.accuracy']:.3f}"


def released() -> str:
    """The version of the code, which must head the changelog."""
    source = (ROOT / "fedmed/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None or heading is None or found[1] != heading[1]:
        raise StepError(
            f"CHANGELOG.md begins with {heading and heading[1]}, fedmed.__version__ is {found and found[1]}"
        )
    return found[1]


def copy_source(folder: Path) -> None:
    """Copies what the package is built from, so that building leaves nothing in the checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    for each in FOLDERS.values():
        shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))


def build(kind: str, source: Path, out: Path, python: str | Path = sys.executable) -> Path:
    """The file that the build backend makes of a source tree; kind is sdist, wheel or editable."""
    out.mkdir(parents=True, exist_ok=True)
    run(python, "-c", f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})", cwd=source)
    return next(out.glob("fedmed_sim-*"))


def environment(folder: Path, constraints: Path | None, *what: str | Path) -> Path:
    """The `bin` folder of a new environment with what is named and its requirements, installed in that order."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    held: list[str | Path] = ["-c", constraints] if constraints else []
    for each in what:
        if each == TORCH and os.environ.get("UV_TORCH_BACKEND"):
            run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *held, each, cwd=folder)
        else:
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *held, each, cwd=folder)
    return folder / "bin"


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed, with nothing of Python's and fedmed's variables."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FEDMED"))}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, check=False, encoding="utf-8")
    if done.returncode:
        raise StepError(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
