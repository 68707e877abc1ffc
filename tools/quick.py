"""The tests of what changed against main: `python -m tools.quick` chooses, says why, and runs them (`make quick`).

A test file is chosen if it changed, mirrors or uses a module that changed or that uses one, names an option or a file
that changed, or looks at the whole tree. What no reading of the sources can tell (a module that is named by text that
is put together as the program runs) is left to `make test`.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tools.imports import DEVELOPERS_FOLDERS, PACKAGE_FOLDERS, Graph, imported, module_name, modules, syntax

ROOT = Path(__file__).resolve().parents[1]

CONCERNS_ALL = frozenset({"pyproject.toml", "constraints.txt", "Makefile", "tests/conftest.py", "fedmed/__init__.py"})
"""Files whose change runs every test."""

LOOKS_AT_THE_TREE = frozenset(
    f"tests/test_{name}.py" for name in ("budget", "encodings", "layers", "layout", "names", "packaging")
)
"""Tests that read all sources as text; any Python file that changed concerns them."""

ROOMS_OF_OPTIONS = ("strategies", "datasets", "models", "data", "engine", "server", "compression", "tracking")
"""Where classes lie that runs choose by a name in their configuration, so that no import leads to them."""

RUNS_EVERY_OPTION = {
    "strategies": ("tests/conformance/", "tests/golden/", "tests/e2e/"),
    "datasets": ("tests/golden/", "tests/e2e/"),
    "models": ("tests/golden/", "tests/e2e/"),
}
"""Folders of tests that run each option of a room, found as users' are."""

Chosen = dict[str, str]
"""Test file, relative to the checkout -> why it was chosen."""


@dataclass
class Tree:
    """The Python files of a checkout, and who uses whom among them.

    deleted: files that stood there before; whoever still names such a module uses it.
    """

    root: Path
    deleted: Sequence[str] = ()
    files: dict[str, str] = field(init=False)
    users: Graph = field(init=False)

    def __post_init__(self) -> None:
        found = modules(self.root, PACKAGE_FOLDERS + DEVELOPERS_FOLDERS)
        self.files = {name: path.relative_to(self.root).as_posix() for name, path in found.items()}
        gone = {module_name(Path(name)) for name in self.deleted if name.endswith(".py")}
        known = frozenset(self.files) | gone
        self.users = {name: set() for name in known}
        for name, path in found.items():
            for target in used(name, path, known):
                self.users[target].add(name)
        for name in [name for name in self.reached(["fedmed.cli.main"]) if name.startswith("tests.")]:
            for command in commands(texts_of(found[name])) & known:
                self.users[command].add(name)

    @property
    def tests(self) -> dict[str, str]:
        """Test modules and their files."""
        return {name: file for name, file in self.files.items() if re.match(r"tests/(.*/)?test_[^/]*$", file)}

    def reached(self, changed: Iterable[str]) -> dict[str, str]:
        """Every module that uses one of these, at any distance -> the module by which it does, next on the way."""
        way = {name: name for name in changed}
        waiting = list(way)
        for name in waiting:
            users = sorted(self.users.get(name, set()) - way.keys())
            way |= dict.fromkeys(users, name)
            waiting += users
        return way


def used(module: str, path: Path, known: frozenset[str]) -> Iterator[str]:
    """Modules in `known` that a file imports or names by a text ("fedmed.data.shift"), and a test's conftest modules.

    `from fedmed import __version__` uses nothing of what the package leads to.
    """
    for target in imported(module, path, known | {"fedmed.__version__"}):
        if (name := _nearest(target, known)) and target != "fedmed.__version__":
            yield name
    for text in texts_of(path):
        yield from {_nearest(text, known) if "." in text else ""} - {"", "fedmed"}
    if module.startswith("tests."):
        yield from {"fedmed.__main__"} & known if "fedmed" in texts_of(path) else ()
        folders = module.split(".")[:-1]
        yield from {".".join((*folders[:n], "conftest")) for n in range(1, len(folders) + 1)} & known - {module}


def commands(texts: Sequence[str]) -> set[str]:
    """Modules of the commands that such texts begin with: `fedmed.cli.main` imports the one that it is told to."""
    return {f"fedmed.cli.{word}" for text in texts for word in text.removeprefix("fedmed ").split()[:1]}


def texts_of(path: Path) -> list[str]:
    """Every text in a Python file, its docstrings included."""
    constants = [node.value for node in ast.walk(syntax(path)) if isinstance(node, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


def _nearest(text: str, known: frozenset[str]) -> str:
    """The longest name in `known` that the text is or lies in; "" where there is none."""
    while text and text not in known:
        text = text.rpartition(".")[0]
    return text


def choose(root: Path, changed: Sequence[str]) -> Chosen | str:
    """The test files to run and why; a text instead where all have to run. The paths are relative to the checkout."""
    if every := [name for name in changed if name in CONCERNS_ALL]:
        return f"{every[0]} changed"
    tree = Tree(root, [name for name in changed if not (root / name).exists()])
    chosen: Chosen = {}
    for file in changed:
        for test, why in _of_file(tree, file):
            chosen.setdefault(test, why)
    return dict(sorted(chosen.items()))


def _of_file(tree: Tree, file: str) -> Iterator[tuple[str, str]]:
    if not file.endswith(".py") or file.partition("/")[0] not in PACKAGE_FOLDERS + DEVELOPERS_FOLDERS:
        yield from _that_name_the_file(tree, file)
    if not file.endswith(".py"):
        return
    if file in tree.tests.values():
        yield file, "changed"
    name = module_name(Path(file))
    yield from _that_mirror(tree, name, file)
    yield from _that_use(tree, name, file)
    yield from _that_run(tree, name, file)
    yield from ((test, "looks at all sources") for test in LOOKS_AT_THE_TREE & set(tree.tests.values()))


def _that_mirror(tree: Tree, name: str, file: str) -> Iterator[tuple[str, str]]:
    """`tests/data/test_shift.py` and `test_shift_*.py` beside it mirror `fedmed/data/shift.py`."""
    *rooms, stem = name.removeprefix("fedmed.").split(".")
    pattern = re.compile(rf"{'/'.join(('tests', *rooms))}/test_{stem}(_\w+)?\.py")
    yield from ((test, f"mirrors {file}") for test in tree.tests.values() if pattern.fullmatch(test))


def _that_use(tree: Tree, name: str, file: str) -> Iterator[tuple[str, str]]:
    inside = [module for module in tree.users if module.startswith(f"{name}.")] if file.endswith("__init__.py") else []
    way = tree.reached([name, *inside])
    for test in sorted(tree.tests.keys() & way.keys() - {name}):
        direct = way[test] in (name, *inside)
        yield (
            tree.tests[test],
            f"uses {file}" if direct else f"leads to {file} by {tree.files.get(way[test], way[test])}",
        )


def _that_run(tree: Tree, name: str, file: str) -> Iterator[tuple[str, str]]:
    """Tests that choose an option of the file, or of one that uses it in the same room, by its name."""
    room = name.split(".")[1] if name.startswith("fedmed.") else ""
    if room not in ROOMS_OF_OPTIONS:
        return
    folders = RUNS_EVERY_OPTION.get(room, ())
    users = [module for module in tree.reached([name]) if module.startswith(f"fedmed.{room}.")] if folders else [name]
    if names := {word for module in users for word in _options(tree, module)}:
        yield from _that_choose(tree, file, names, folders)


def _options(tree: Tree, module: str) -> Iterator[str]:
    """What an option in a module may be called in a configuration: the file, or each public class, in snake case."""
    if module not in tree.files:
        return
    classes = [node for node in syntax(tree.root / tree.files[module]).body if isinstance(node, ast.ClassDef)]
    derived = [node for node in classes if not {*map(ast.unparse, node.bases)} <= {"ABC", "NamedTuple", "Protocol"}]
    named = [node.name for node in derived if not node.name.startswith("_")]
    yield from ([module.rpartition(".")[2]] if named else [])
    yield from (re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in named)


def _that_name_the_file(tree: Tree, file: str) -> Iterator[tuple[str, str]]:
    """Tests that read a file which is no module, or use what reads it, as their texts name it or its folder."""
    path = PurePosixPath(file)
    if path.match("configs/*/*.yaml"):
        yield from _that_choose(tree, file, {path.stem}, ("tests/config/", "tests/e2e/"))
        return
    for name, reader in tree.files.items():
        if _names(path, reader, texts_of(tree.root / reader)):
            reached = tree.reached([name])
            yield from (
                (test, f"reads {file}, or uses what does") for key, test in tree.tests.items() if key in reached
            )
    if path.parts[0] == "tests":
        yield from ((test, f"beside {file}") for test in tree.tests.values() if test.startswith(f"{path.parent}/"))


def _names(path: PurePosixPath, reader: str, texts: Sequence[str]) -> bool:
    """Whether texts hold the file's name or are its folder's, as in `ROOT / "docs"`; READMEs are many, by that name."""
    folder = path.parent.name if path.parts[0] == "fedmed" else path.parts[0]
    near = PurePosixPath(reader).name.startswith("test_") or path.parts[0] == reader.partition("/")[0]
    if not near:
        return f"fedmed.{folder}" in texts
    return any(text == folder or (path.name in text and path.name != "README.md") for text in texts)


def _that_choose(tree: Tree, file: str, names: set[str], folders: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Tests that run each option there is, and those that name one of these."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    for test in tree.tests.values():
        if test.startswith(folders):
            yield test, f"runs every option, as in {file}"
        elif any(map(pattern.search, texts_of(tree.root / test))):
            yield test, f"names an option in {file}"


def changed_files(root: Path, base: str) -> list[str]:
    """What differs from where this branch left `base`: committed, uncommitted and untracked, both names of a move."""
    fork = _git(root, "merge-base", base, "HEAD")[0]
    tracked = _git(root, "diff", "--name-only", "--no-renames", fork)
    return sorted({*tracked, *_git(root, "ls-files", "--others", "--exclude-standard")})


def _git(root: Path, *arguments: str) -> list[str]:
    command = ["git", "-c", "core.quotePath=false", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout.splitlines()


def main_branch(root: Path) -> str:
    """`main`, or the remote's where there is no other; the last commit in a clone that has neither."""
    known = _git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads/main", "refs/remotes/*/main")
    return known[0] if known else "HEAD"


def report(changed: Sequence[str], chosen: Chosen | str, count: int, base: str) -> str:
    """What will run and why, one line per test file."""
    if not changed:
        return f"nothing changed against {base}: nothing to run"
    head = f"{len(changed)} changed file{'s' * (len(changed) > 1)} against {base}"
    if isinstance(chosen, str):
        return f"{head}: every test, as {chosen}"
    width = max(map(len, chosen), default=0)
    rows = [f"  {test:<{width}}  {why}" for test, why in chosen.items()]
    return "\n".join([f"{head}: {len(chosen)} of {count} test files", *rows])


def pytest_command(chosen: Chosen | str) -> list[str]:
    """Pytest over the chosen files, in several processes where there are several files: each imports torch."""
    files = [] if isinstance(chosen, str) else list(chosen)
    several = min(4, os.cpu_count() or 1, len(files) // 3 if files else 4)
    spread = ["-n", str(several), "--dist", "worksteal"] if several > 1 else []
    return [sys.executable, "-m", "pytest", "-q", *spread, *files]


def main(arguments: Sequence[str] | None = None) -> int:
    """Chooses, says so, and runs pytest unless told not to; gives its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.quick", description="Runs the tests of what changed.")
    parser.add_argument("--base", default="", help="a branch or commit to compare with (default: main)")
    parser.add_argument("--list", action="store_true", help="only say which tests and why")
    options = parser.parse_args(arguments)
    base = options.base or main_branch(ROOT)
    changed = changed_files(ROOT, base)
    chosen = choose(ROOT, changed)
    print(report(changed, chosen, len(Tree(ROOT).tests), base), flush=True)
    if options.list or not chosen:
        return 0
    return subprocess.run(pytest_command(chosen), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
