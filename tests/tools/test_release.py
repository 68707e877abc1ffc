"""The release check: what it refuses, without building; `make release-check` does the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedmed import __version__
from tools import release


def programs(folder: Path, *, where: str, version: str) -> Path:
    """A `bin` folder whose programs answer what an installation would."""
    answers = {"python": where, "fedmed": f"fedmed {version}"}
    (folder / "bin").mkdir()
    for name, answer in answers.items():
        program = folder / "bin" / name
        program.write_text(
            f'#!/bin/sh\n[ "$1" != run ] || answer=\'{{"test.accuracy": 0.5}}\'\necho "${{answer:-{answer}}}"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
    return folder / "bin"


def test_the_version_heads_the_changelog() -> None:
    assert release.released() == __version__


def test_a_version_without_a_changelog_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fedmed").mkdir()
    (tmp_path / "fedmed/__init__.py").write_text('__version__ = "2.0"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.9\n\n## 2.0\n", encoding="utf-8")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(release.StepError, match=r"begins with 1\.9, .* is 2\.0"):
        release.released()


def test_what_is_installed_is_used(tmp_path: Path) -> None:
    found = programs(tmp_path, where=f"{tmp_path}/lib/fedmed/__init__.py", version="2.0")
    assert list(release.use(found, tmp_path, "2.0"))[-1] == "ran experiment=smoke: accuracy 0.500"


@pytest.mark.parametrize(
    ("where", "version", "words"), [("/elsewhere/fedmed", "2.0", "not what was installed"), ("", "1.9", "says")]
)
def test_another_package_or_version_is_refused(where: str, version: str, words: str, tmp_path: Path) -> None:
    found = programs(tmp_path, where=where or f"{tmp_path}/lib/fedmed/__init__.py", version=version)
    with pytest.raises(release.StepError, match=words):
        list(release.use(found, tmp_path, "2.0"))


def test_a_command_that_fails_is_shown_with_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(release.StepError, match="ended with 3\n\nbroken"):
        release.run("sh", "-c", "echo broken >&2; exit 3", cwd=tmp_path)


def test_what_python_and_fedmed_read_of_the_environment_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/checkout")
    monkeypatch.setenv("FEDMED_RUNS", "/elsewhere")
    assert release.run("sh", "-c", "echo $PYTHONPATH$FEDMED_RUNS", cwd=tmp_path) == "\n"
