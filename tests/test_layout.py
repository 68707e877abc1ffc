"""Tests mirror the rooms: `tests/data/test_shift.py` tests `fedmed/data/shift.py`; what tests no module says why."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

KINDS = {
    "conformance": "each strategy is a row",
    "e2e": "whole commands, from the command line to files",
    "golden": "numbers of whole runs, kept",
}
"""Folders of tests that are of many modules at once."""

WHOLE = {
    "cli/test_commands.py": "every command",
    "engine/test_runtimes.py": "every engine is a row",
    "flower/test_own_memory.py": "every local grid, with methods that keep or change what they are lent",
    "run/test_device.py": "whole runs on another device",
    "run/test_faults.py": "whole runs with clients at fault",
    "run/test_resume.py": "whole runs that stop and go on",
    "run/test_trust.py": "whole run directories of strangers",
    "strategies/test_baselines.py": "strategies that are a hook or two",
    "test_budget.py": "the size of every file and function",
    "test_contributing.py": "CONTRIBUTING.md",
    "test_encodings.py": "every text file that is opened",
    "test_glossary.py": "docs/glossary.md",
    "test_layers.py": "the imports of every module",
    "test_layout.py": "the tests of every room",
    "test_names.py": "the names of every class",
    "test_packaging.py": "what is built and installed",
    "test_public.py": "the names that fedmed lists",
    "test_readme.py": "README.md",
    "test_repository.py": "what the repository says of itself",
    "test_your_data.py": "docs/your-data.md",
}
"""Test files that are of no single module, and what they are of."""


def twins(test: Path, root: Path) -> list[Path]:
    """Modules, packages and helpers that a test file may be of, as far as they are there.

    `test_world_test_domains.py` is of one aspect of `world.py`, and `test_finch.py` of the private `_finch.py`.
    """
    parts = test.stem.removeprefix("test_").split("_")
    stems = ["_".join(parts[:n]) for n in range(len(parts), 0, -1)]
    homes = [root / "fedmed" / test.parent, root / test.parent, root / "tests" / test.parent]
    paths = [home / name for home in homes for stem in stems for name in (f"{stem}.py", f"_{stem}.py", stem)]
    return [path for path in paths if path.exists()]


def without_twin(root: Path) -> list[str]:
    """Test files of no module, relative to `tests`, except in folders of a kind of their own."""
    tests = [path.relative_to(root / "tests") for path in sorted((root / "tests").rglob("test_*.py"))]
    return [str(test) for test in tests if test.parts[0] not in KINDS and not twins(test, root)]


def test_every_test_file_has_a_module_or_says_why() -> None:
    assert without_twin(ROOT) == sorted(WHOLE)


@pytest.mark.parametrize(
    ("test", "alone"),
    [
        ("test_rng.py", False),
        ("data/test_shift.py", False),
        ("data/test_shift_faults.py", False),
        ("data/test_partition.py", False),
        ("strategies/test_fedprox.py", False),
        ("strategies/test_finch.py", False),
        ("tools/test_release.py", False),
        ("test_toys.py", False),
        ("golden/test_rounds.py", False),
        ("data/test_rng.py", True),
        ("data/test_shifts.py", True),
        ("test_shift.py", True),
    ],
)
def test_a_test_file_of_no_module_is_found(tmp_path: Path, test: str, alone: bool) -> None:
    modules = ("fedmed/rng.py", "fedmed/data/shift.py", "fedmed/data/partition/__init__.py", "tests/toys.py")
    for name in (*modules, "strategies/fedprox.py", "strategies/_finch.py", "tools/release.py", f"tests/{test}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert without_twin(tmp_path) == [test] * alone
