"""What the repository says of itself to those who look after it, report, or cite: whole, and in step with the code."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedmed import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_workflow_runs_the_script_and_nothing_beside_it() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    python = next(step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert PROJECT["requires-python"] == f">={python}", "CI runs on the oldest Python"


def test_the_workflow_takes_the_build_of_torch_that_needs_no_gpu() -> None:
    (job,) = read(".github/workflows/ci.yml")["jobs"].values()
    assert job["env"]["UV_TORCH_BACKEND"] == "cpu"
    assert "UV_TORCH_BACKEND" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_step_of_ci_is_a_target_of_make() -> None:
    steps = re.findall(r"^step .* make ([\w-]+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(steps) > 5
    assert [step for step in steps if step not in targets] == []


def test_make_installs_the_torch_that_the_constraints_name() -> None:
    named = {
        version
        for name in ("Makefile", "constraints.txt", "README.md")
        for version in re.findall(r"\btorch==([\w.]+)", (ROOT / name).read_text(encoding="utf-8"))
    }
    assert len(named) == 1


def test_there_is_a_form_for_bugs_methods_and_questions() -> None:
    assert [form.stem for form in FORMS] == ["bug", "method", "question"]


@pytest.mark.parametrize("form", FORMS, ids=[form.stem for form in FORMS])
def test_an_issue_form_is_one(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert set(content) <= {"name", "description", "title", "labels", "body"}
    assert content["name"]
    assert content["description"]
    asked = [each for each in content["body"] if each["type"] != "markdown"]
    assert {each["type"] for each in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert len({each["id"] for each in asked}) == len(asked)
    assert all(each["attributes"]["label"] for each in asked)
    assert any(each.get("validations", {}).get("required") for each in asked)


@pytest.mark.parametrize(
    "path",
    [".github/pull_request_template.md", "SECURITY.md", "CONTRIBUTING.md", "README.md", *[str(f) for f in FORMS]],
)
def test_files_that_are_named_are_there(path: str) -> None:
    file = ROOT / path
    text = file.read_text(encoding="utf-8")
    named = [file.parent / link for link in re.findall(r"\]\((?!http|#|\.\./blob)([^)#]+)", text)]
    named += [ROOT / link for link in re.findall(r"\]\(\.\./blob/main/([^)#]+)", text)]
    assert [str(each) for each in named if not each.exists()] == []


def test_the_citation_is_of_this_version() -> None:
    cited = read("CITATION.cff")
    assert {key: cited[key] for key in ("cff-version", "type", "version", "license")} == {
        "cff-version": "1.2.0",
        "type": "software",
        "version": __version__,
        "license": PROJECT["license"],
    }
    assert cited["message"]
    assert all(author["name"] for author in cited["authors"])
    assert cited["keywords"] == PROJECT["keywords"]


def test_nobody_names_a_host_of_a_package_index() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".ci/run", ROOT / "Makefile", ROOT / "pyproject.toml"]
    assert [str(f) for f in files if re.search(r"https?://|index-url", f.read_text(encoding="utf-8"))] == []


def test_every_path_has_an_owner() -> None:
    lines = (ROOT / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    assert all(any(word.startswith("@") for word in rule) for rule in rules)
    paths = [word for rule in rules[1:] for word in rule if not word.startswith("@")]
    assert [path for path in paths if not (ROOT / path.strip("/")).exists()] == []
