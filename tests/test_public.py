"""`import fedmed`: what is public, listed once and imported when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fedmed
from fedmed.options.catalogue import discover


def test_every_public_name_is_there() -> None:
    assert [name for name in dir(fedmed) if not hasattr(fedmed, name)] == []


def test_every_option_of_fedmeds_is_public() -> None:
    options = [option for group in discover().options.values() for option in group.values()]
    classes = {option.target.rpartition(".")[2] for option in options if option.target.startswith("fedmed.")}
    assert classes - set(dir(fedmed)) == set()


def test_importing_it_imports_nothing_else() -> None:
    code = (
        "import sys, fedmed; heavy = {'torch', 'flwr', 'numpy', 'hydra'} & sys.modules.keys();"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, encoding="utf-8", check=False, cwd="."
    )
    assert done.returncode == 0, done.stderr


def test_other_names_are_none() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Hospital'"):
        fedmed.Hospital  # noqa: B018
