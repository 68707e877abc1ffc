"""Which tests a change concerns, over a small checkout: by mirrors, imports, names of options, and who reads a file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.quick import changed_files, choose, main_branch, pytest_command, report

FILES = {
    "fedmed/__init__.py": "",
    "fedmed/__main__.py": "from fedmed.cli.main import main",
    "fedmed/rng.py": "",
    "fedmed/data/__init__.py": "",
    "fedmed/data/world.py": "from fedmed.data import images\nfrom fedmed import rng",
    "fedmed/data/images.py": "from fedmed import __version__",
    "fedmed/data/partition.py": "class Partition:\n    pass\nclass EqualShards(Partition):\n    pass",
    "fedmed/run.py": "def run():\n    from fedmed.data.world import World",
    "fedmed/cli/__init__.py": "",
    "fedmed/cli/main.py": "import fedmed",
    "fedmed/cli/show.py": "import fedmed.run",
    "fedmed/report/__init__.py": "",
    "fedmed/report/page.py": 'FOLDER = "template"',
    "fedmed/report/template/page.html": "",
    "strategies/_norm.py": "",
    "strategies/fedprox.py": "from fedmed.strategies._norm import norm\nclass FedProx(Method):\n    pass",
    "configs/config.yaml": "",
    "configs/experiment/smoke.yaml": "",
    "docs/guide.md": "",
    "tests/conftest.py": "",
    "tests/toys.py": "from fedmed.data.world import World",
    "tests/test_rng.py": "import fedmed.rng",
    "tests/test_layers.py": "",
    "tests/test_guide.py": 'ROOT / "docs"',
    "tests/data/test_images.py": "",
    "tests/data/test_images_faults.py": "",
    "tests/data/test_world.py": "from fedmed.data.world import World",
    "tests/run/conftest.py": "from fedmed.cli.main import main",
    "tests/run/test_toys.py": "from tests.toys import WORLD",
    "tests/run/test_shards.py": 'command(["run", "partition=equal_shards"])',
    "tests/run/test_named.py": 'patch("fedmed.data.images.load")',
    "tests/run/rows.json": "",
    "tests/cli/test_show.py": 'def test_it():\n    start("-m", "fedmed", "show")',
    "tests/report/test_page.py": "import fedmed.report.page",
    "tests/e2e/test_experiments.py": "",
    "tests/conformance/test_laws.py": "",
    "tests/strategies/test_fedprox.py": "from fedmed.strategies.fedprox import FedProx",
    "tests/strategies/test_chain.py": 'run("strategy=fedavg+fedprox")',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def chosen(root: Path, *changed: str) -> set[str]:
    """Chosen tests without `tests/test_` and `.py`; test_layers, which every module concerns, left out."""
    found = choose(root, changed)
    assert not isinstance(found, str)
    return {name[len("tests/") : -len(".py")].replace("test_", "") for name in found} - {"layers"}


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("tests/test_rng.py", {"rng"}),
        ("fedmed/rng.py", {"rng", "data/world", "run/toys", "cli/show"}),
        (
            "fedmed/data/images.py",
            {"data/images", "data/images_faults", "data/world", "run/toys", "run/named", "cli/show"},
        ),
        ("fedmed/data/__init__.py", {"data/world", "run/toys", "run/named", "cli/show"}),
        ("fedmed/data/partition.py", {"run/shards"}),
        ("fedmed/run.py", {"cli/show"}),
        ("fedmed/cli/show.py", {"cli/show"}),
        ("fedmed/cli/main.py", {"cli/show", "run/toys", "run/shards", "run/named"}),
        ("fedmed/report/template/page.html", {"report/page"}),
        ("strategies/fedprox.py", {"strategies/fedprox", "strategies/chain", "conformance/laws", "e2e/experiments"}),
        ("strategies/_norm.py", {"strategies/chain", "strategies/fedprox", "conformance/laws", "e2e/experiments"}),
        ("configs/experiment/smoke.yaml", {"e2e/experiments"}),
        ("tests/toys.py", {"run/toys"}),
        ("tests/run/conftest.py", {"run/toys", "run/shards", "run/named"}),
        ("tests/run/rows.json", {"run/toys", "run/shards", "run/named"}),
        ("docs/guide.md", {"guide"}),
        ("LICENSE", set()),
    ],
)
def test_a_change_concerns_these_tests(root: Path, changed: str, tests: set[str]) -> None:
    assert chosen(root, changed) == tests


def test_a_module_that_is_gone_concerns_who_still_names_it(root: Path) -> None:
    (root / "fedmed/data/images.py").unlink()
    assert {"data/world", "data/images", "run/named"} <= chosen(root, "fedmed/data/images.py")


def test_every_python_file_concerns_what_looks_at_the_tree(root: Path) -> None:
    assert choose(root, ["fedmed/rng.py"])["tests/test_layers.py"] == "looks at all sources"  # type: ignore[index]


@pytest.mark.parametrize("changed", ["pyproject.toml", "Makefile", "tests/conftest.py", "fedmed/__init__.py"])
def test_some_files_concern_all(root: Path, changed: str) -> None:
    found = choose(root, ["docs/guide.md", changed])
    assert found == f"{changed} changed"
    assert report([changed], found, 9, "main") == f"1 changed file against main: every test, as {changed} changed"
    assert pytest_command(found)[-1] in {"worksteal", "-q"}


def test_it_says_why(root: Path) -> None:
    changed = ["fedmed/data/images.py", "tests/data/test_images.py"]
    text = report(changed, choose(root, changed), 15, "main")
    assert text.splitlines()[0] == "2 changed files against main: 7 of 15 test files"
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in text.splitlines()[1:]}
    assert lines["tests/data/test_images.py"] == "mirrors fedmed/data/images.py"
    assert lines["tests/data/test_world.py"] == "leads to fedmed/data/images.py by fedmed/data/world.py"
    assert lines["tests/run/test_named.py"] == "uses fedmed/data/images.py"


def test_what_differs_from_main_counts_however_far_it_got(root: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, "-C", str(root), *arguments], check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--message=one")
    git("checkout", "-b", "branch")
    assert changed_files(root, main_branch(root)) == []
    assert report([], {}, 15, "main") == "nothing changed against main: nothing to run"
    (root / "fedmed/rng.py").write_text("x = 1", encoding="utf-8")
    git("commit", "--all", "--message=two")
    git("mv", "tests/test_rng.py", "tests/test_draws.py")
    (root / "docs/guide.md").write_text("more", encoding="utf-8")
    (root / "docs/näw.md").touch()
    moved = ["tests/test_draws.py", "tests/test_rng.py"]
    assert changed_files(root, "main") == ["docs/guide.md", "docs/näw.md", "fedmed/rng.py", *moved]
