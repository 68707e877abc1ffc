"""A library that asks for torchvision is imported without one, and nobody sees a false one afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fedmed.models.without_torchvision import imported

ASKS = """
import torchvision.transforms as transforms
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision.transforms.functional import InterpolationMode

NAMES = {InterpolationMode.NEAREST: "nearest", InterpolationMode.BILINEAR: "bilinear"}

class Crop(transforms.RandomCrop):
    pass

frozen = isinstance(3, FrozenBatchNorm2d)
"""


@pytest.mark.parametrize("broken", [None, "raise RuntimeError('operator torchvision::nms does not exist')"])
def test_a_library_is_imported_beside_no_torchvision_or_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    if broken is not None:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision/__init__.py").write_text(broken, encoding="utf-8")
    (tmp_path / "asks_for_it.py").write_text(ASKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = imported("asks_for_it")
    assert len(module.NAMES) == 2
    assert module.frozen is False
    assert not [name for name in sys.modules if name.startswith("torchvision")]
    with pytest.raises((ImportError, RuntimeError)):
        __import__("torchvision")
    assert imported("asks_for_it") is module
    del sys.modules["asks_for_it"]


def test_a_torchvision_that_works_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision.py").write_text("word = 'true'", encoding="utf-8")
    (tmp_path / "asks_too.py").write_text("from torchvision import word", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert imported("asks_too").word == "true"
    del sys.modules["asks_too"], sys.modules["torchvision"]


def test_a_library_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fails.py").write_text("import torchvision\n1 / 0", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    with pytest.raises(ZeroDivisionError):
        imported("fails")
    assert sys.meta_path == before
    assert "torchvision" not in sys.modules
