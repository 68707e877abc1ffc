"""What is built and installed: wheel, sdist and editable install, used from a folder that is not the checkout."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tarfile
import venv
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

from tools.release import FOLDERS, PROJECT, build, copy_source, run

ROOT = Path(__file__).resolve().parents[1]
SETUP = PROJECT["tool"]["setuptools"]
NEVER_TOP_LEVEL = {"strategies", "datasets", "configs"}


def folders_of_the_tree() -> set[str]:
    """Import names of all folders that hold modules or data of the package."""
    names = set()
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                names.add(".".join((package, *path.parent.relative_to(ROOT / folder).parts)))
    return names


def data_of_the_tree() -> list[str]:
    """Files of the package that are not modules, as `package/name`, such as `fedmed.configs/run.yaml`."""
    return [
        f"{'.'.join((package, *path.parent.relative_to(ROOT / folder).parts))}/{path.name}"
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    ]


def test_the_package_list_equals_the_tree() -> None:
    assert set(SETUP["packages"]) == folders_of_the_tree()


def test_every_data_file_is_packaged() -> None:
    patterns = {f"{package}/{glob}" for package, globs in SETUP["package-data"].items() for glob in globs}
    assert [name for name in data_of_the_tree() if not any(fnmatch(name, p) for p in patterns)] == []


def test_config_groups_are_packages_and_the_plug_in_folders_are_not() -> None:
    configs = {path.parent for path in (ROOT / "configs").rglob("*.yaml")}
    assert [str(folder) for folder in configs if not (folder / "__init__.py").exists()] == []
    assert not (ROOT / "strategies/__init__.py").exists(), "it would shadow other packages of that name"
    assert not (ROOT / "datasets/__init__.py").exists(), "it would shadow other packages of that name"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("source")
    copy_source(copy)
    return copy


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(sdist, unpacked, filter="data")
    return build("wheel", next(unpacked.iterdir()), tmp_path_factory.mktemp("wheel"))


def environment(folder: Path, what: Path) -> Path:
    """The `bin` folder of a new environment with `what` installed; the libraries are this environment's own."""
    venv.create(folder)
    run(sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "--no-deps", what, cwd=folder)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    return folder / "bin"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("installed"), wheel)


@pytest.fixture(scope="module")
def editable(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("editable"), build("editable", source, tmp_path_factory.mktemp("link")))


@pytest.mark.slow
def test_the_wheel_holds_one_top_level_package_and_every_module(wheel: Path) -> None:
    names = [PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()]
    assert {name.parts[0] for name in names if not name.parts[0].endswith(".dist-info")} == {"fedmed"}
    tree = {
        "/".join((*package.split("."), *path.relative_to(ROOT / folder).parts))
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {str(name) for name in names if name.parts[0] == "fedmed"} == tree


@pytest.mark.slow
def test_the_wheel_of_the_tree_equals_the_wheel_of_the_sdist(source: Path, wheel: Path, tmp_path: Path) -> None:
    direct = zipfile.ZipFile(build("wheel", source, tmp_path))
    assert sorted(direct.namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_the_sdist_holds_the_licence_and_the_readme(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {PurePosixPath(name).name for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["installed", "editable"])
def test_an_installation_works_from_anywhere(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    programs: Path = request.getfixturevalue(kind)
    stems = [path.stem for path in sorted((ROOT / "strategies").glob("*.py"))]
    imports = "; ".join(f"import fedmed.strategies.{stem}" for stem in stems)
    where = run(programs / "python", "-c", f"{imports}; import fedmed; print(fedmed.__file__)", cwd=tmp_path)
    assert not Path(where.strip()).is_relative_to(ROOT), "the checkout was imported, not what was installed"
    listed = run(programs / "fedmed", "list", "strategies", cwd=tmp_path)
    assert [stem for stem in stems if (stem in listed) == stem.startswith("_")] == []
    assert "strategy" in run(programs / "fedmed", "run", "--cfg", "job", cwd=tmp_path)
    run(programs / "fedmed", "run", "experiment=smoke", cwd=tmp_path)
    assert any((tmp_path / "runs").iterdir())


@pytest.mark.slow
def test_nothing_is_installed_beside_the_package(installed: Path) -> None:
    site = next(installed.parent.glob("lib/python3*/site-packages"))
    assert NEVER_TOP_LEVEL & {path.name for path in site.iterdir()} == set()
