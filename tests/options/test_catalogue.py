from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

from fedmed.errors import UserError
from fedmed.options.catalogue import discover, read_given
from fedmed.options.code import resolve
from fedmed.options.fields import REQUIRED
from fedmed.options.groups import GROUPS
from fedmed.options.source import snake, sources


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_own_options_are_what_their_classes_say() -> None:
    catalogue = discover()
    assert not any(catalogue.broken.values())
    options = [option for group in catalogue.options.values() for option in group.values()]
    assert {option.group for option in options} == set(GROUPS)
    for option in options:
        cls = resolve(option.target)
        spelled = [field for field in dataclasses.fields(cls) if not field.metadata.get("in_memory")]
        assert [f.name for f in spelled] == [f.name for f in option.fields], option.name
        hints = get_type_hints(cls, include_extras=True)
        for field, real in zip(option.fields, spelled, strict=True):
            default = REQUIRED if real.default is dataclasses.MISSING else real.default
            assert (field.type, field.default) == (hints[field.name], default), f"{option.name}.{field.name}"


def test_every_own_option_says_what_it_and_its_fields_are() -> None:
    for group in discover().options.values():
        for option in group.values():
            assert option.summary, option.name
            assert [f.name for f in option.fields if not f.meaning] == [], option.name


def test_private_modules_are_no_options_and_sources_of_those_that_import_them(home: Path, method: str) -> None:
    write(home / "strategies/_sums.py", method + "\n\nfrom fedmed.strategies import _means\n")
    means = write(home / "strategies/_means.py", "from fedmed.strategies._sums import Mine")
    file = write(home / "strategies/mine.py", f"import fedmed.strategies._sums\nimport _thread\n{method}")
    catalogue = discover()
    assert {"_sums", "_means"} & {*catalogue.options["strategy"], *catalogue.broken["strategy"]} == set()
    assert {"_finch", "_completeness", "_directions"} & catalogue.options["strategy"].keys() == set()
    assert sources(file) == [file, means, file.with_name("_sums.py")]
    assert sources(home / "strategies/absent.py") == [home / "strategies/absent.py"]


def test_discovery_does_not_import_torch() -> None:
    code = "import sys; from fedmed.options.catalogue import discover; discover(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_method_in_the_callers_folder_is_found(home: Path, method: str) -> None:
    file = write(home / "strategies/mine.py", method)
    option = discover().options["strategy"]["mine"]
    assert (option.target, option.summary) == (f"{file}:Mine", "Does something.")
    own = {f.name: (f.default, f.meaning) for f in option.fields if not f.inherited}
    assert own == {"strength": (0.5, "how much (>= 0; 0 is nothing)."), "needed": (REQUIRED, "")}


def test_folders_of_fedmed_path_are_searched(home: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    write(home / "a/strategies/mine.py", method)
    write(home / "b/models/wide.py", method.replace("(Method)", "(Model)"))
    monkeypatch.setenv("FEDMED_PATH", os.pathsep.join([str(home / "a"), str(home / "b")]))
    catalogue = discover()
    assert "mine" in catalogue.options["strategy"]
    assert "wide" in catalogue.options["model"]


def test_an_entry_point_is_found_without_being_imported(
    home: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    write(home / "their_package/__init__.py", "raise RuntimeError('imported')")
    write(home / "their_package/idea.py", method)
    write(home / "their-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    entries = "[fedmed.strategies]\ntheirs = their_package.idea:Mine\nlost = their_package.idea:Gone\n"
    write(home / "their-1.0.dist-info/entry_points.txt", entries)
    monkeypatch.syspath_prepend(str(home))
    catalogue = discover()
    assert catalogue.options["strategy"]["theirs"].target == "their_package.idea.Mine"
    assert "Gone" in catalogue.broken["strategy"]["lost"].reason


def test_a_file_that_does_not_parse_stops_nothing_else(home: Path, method: str) -> None:
    write(home / "strategies/bad.py", "class Bad(Method:\n")
    write(home / "strategies/mine.py", method)
    catalogue = discover()
    assert "mine" in catalogue.options["strategy"]
    assert "line 1" in catalogue.broken["strategy"]["bad"].reason
    assert str(home) in str(catalogue.fault("strategy", "bad"))


@pytest.mark.parametrize("wrong", ["strength: dict[str, int] = 0", "strength: float = make()", "strength: Nothing = 0"])
def test_a_field_of_another_form_breaks_only_its_option(home: Path, wrong: str, method: str) -> None:
    write(home / "strategies/mine.py", method.replace("strength: Annotated[float, Ge(0)] = 0.5", wrong))
    assert "Mine.strength" in discover().broken["strategy"]["mine"].reason


def test_two_files_of_one_name_are_a_fault_that_names_both(home: Path, method: str) -> None:
    own = discover().options["strategy"]["fedprox"].file
    yours = write(home / "strategies/fedprox.py", method)
    catalogue = discover()
    assert "fedprox" not in catalogue.options["strategy"]
    assert str(own) in str(catalogue.fault("strategy", "fedprox"))
    assert str(yours) in str(catalogue.fault("strategy", "fedprox"))


def test_a_copy_of_the_same_file_is_no_clash(home: Path, method: str) -> None:
    own = discover().options["strategy"]["fedprox"]
    write(home / "strategies/fedprox.py", own.file.read_text(encoding="utf-8"))
    assert discover().options["strategy"]["fedprox"] == own


def test_a_file_is_named_by_its_class_where_it_has_several(home: Path, method: str) -> None:
    file = write(home / "mine.py", method + method.replace("Mine", "MoreOfIt"))
    assert read_given("mine.py:MoreOfIt", GROUPS["strategy"]).name == "more_of_it"
    with pytest.raises(UserError, match="Mine, MoreOfIt"):
        read_given(str(file), GROUPS["strategy"])
    with pytest.raises(UserError, match=r"nowhere\.py"):
        read_given("nowhere.py:Mine", GROUPS["strategy"])


@pytest.mark.parametrize(
    ("name", "small"), [("MissingLabels", "missing_labels"), ("IID", "iid"), ("FedAdam", "fed_adam")]
)
def test_class_names_become_option_names(name: str, small: str) -> None:
    assert snake(name) == small
