from __future__ import annotations

from pathlib import Path

import pytest

METHOD = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar
from annotated_types import Ge
from fedmed.method import Method

@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """Does something.

    strength: how much (>= 0; 0 is nothing).
    """

    relabels: ClassVar[bool] = False
    strength: Annotated[float, Ge(0)] = 0.5
    needed: str
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command is called from."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def method() -> str:
    """The source of a method `Mine` with a field `strength` and a required field `needed`."""
    return METHOD
