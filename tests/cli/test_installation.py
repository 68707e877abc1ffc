"""Another library called fedmed is refused; installations of this one, of now and of before, are not."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedmed.cli.installation import DISTRIBUTION, ROOT, refuse_another_fedmed
from fedmed.cli.main import main
from fedmed.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OF_A_PACKAGE = "fedmed/__init__.py,sha256=x,77\nfedmed/core/__init__.py,sha256=x,240\n"
OF_A_LINK = "__editable__.fedmed-0.1.0.pth,sha256=x,79\n__editable___fedmed_0_1_0_finder.py,sha256=x,3000\n"


def site(folder: Path, name: str = "FedMed-0.3.2.dist-info", record: str | None = OF_A_PACKAGE) -> str:
    (folder / name).mkdir(parents=True)
    if record is not None:
        (folder / name / "RECORD").write_text(record, encoding="utf-8")
    return str(folder)


def test_another_distribution_called_fedmed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(site(tmp_path))
    assert main(["--version"]) == 2
    message = capsys.readouterr()
    assert message.out == ""
    assert f"FedMed 0.3.2 in {tmp_path}" in message.err
    assert "pip uninstall fedmed fedmed-sim" in message.err


def test_the_command_refuses_it_whatever_its_init_says(tmp_path: Path) -> None:
    """As where its files were written over ours: the version is not there to be read."""
    code = "import sys, fedmed; del fedmed.__version__; from fedmed.cli.main import main; sys.exit(main(['list']))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {site(tmp_path)!r}); {code}"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=CHECKOUT,
    )
    assert (done.returncode, "pip uninstall fedmed" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("fedmed-0.1.0.dist-info", OF_A_LINK),
        ("fedmed.egg-info", None),
        ("fedmed_sim-0.1.0.dist-info", OF_A_PACKAGE),
        ("fedmed_extras-1.dist-info", "fedmed_extras/__init__.py,sha256=x,7\n"),
        ("fedmed-9.dist-info", None),
        ("fedmed-9.dist-info", "notes/fedmed/__init__.py,sha256=x,7\n"),
    ],
    ids=["an editable install of before", "a checkout's leftovers", "ours", "a plug-in", "no record", "no package"],
)
def test_what_does_not_collide_is_no_alarm(name: str, record: str | None, tmp_path: Path) -> None:
    refuse_another_fedmed([site(tmp_path, name, record), "no/such/folder", ""])


def test_what_stands_behind_ours_is_never_imported(tmp_path: Path) -> None:
    refuse_another_fedmed([str(ROOT), site(tmp_path)])
    with pytest.raises(UserError, match="FedMed"):
        refuse_another_fedmed([site(tmp_path / "before"), str(ROOT)])


def test_the_project_is_called_as_it_says() -> None:
    assert (PROJECT["name"], list(PROJECT["scripts"])) == (DISTRIBUTION, ["fedmed"])


def hints() -> Iterator[tuple[str, str]]:
    """Every `NAME[EXTRA]` that text or code has one install."""
    for folder in ("fedmed", "strategies", "datasets", "docs", "examples", "seeds", "tests", "."):
        pattern = "*" if folder == "." else "**/*"
        for path in (CHECKOUT / folder).glob(pattern):
            if path.suffix in (".py", ".md", ".yaml", ".html"):
                text = path.read_text(encoding="utf-8")
                yield from re.findall(r"pip install '?(fedmed[\w-]*)\[([^\]{]+)\]", text)


def test_every_hint_to_install_an_extra_names_one_that_exists() -> None:
    found = set(hints())
    assert found >= {(DISTRIBUTION, "ray"), (DISTRIBUTION, "dp"), (DISTRIBUTION, "mlflow")}
    wrong = [f"{name}[{extra}]" for name, extra in found if name != DISTRIBUTION]
    wrong += [e for _, extras in found for e in extras.split(",") if e not in PROJECT["optional-dependencies"]]
    assert wrong == []
