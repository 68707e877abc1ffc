from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fedmed.errors import UserError
from fedmed.rundir.kept_images import NAME, ImagePanel, KeptImages, load, save


def shown() -> KeptImages:
    x = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    test = ImagePanel(index=np.array([3, 5]), x=x, truth=np.array([0, 1]), predicted=np.full((2, 2), 0.5, np.float16))
    seen = np.array([[True, False], [True, True]])
    training = ImagePanel(index=np.arange(2), x=x, truth=np.eye(2), given=np.zeros((2, 2)), given_seen=seen)
    return KeptImages(kind="multilabel", names=("a", "b"), client=0, test=test, training=training)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save(shown(), tmp_path)
    found, expected = load(tmp_path), shown()
    assert found is not None
    assert (found.kind, found.names, found.client, found.mistakes) == ("multilabel", ("a", "b"), 0, None)
    assert found.test is not None
    assert found.training is not None
    assert expected.test is not None
    assert (found.test.x == expected.test.x).all()
    assert found.test.predicted is not None
    assert found.test.predicted.dtype == np.float16
    assert found.training.given_seen is not None
    assert found.training.given_seen.tolist() == [[True, False], [True, True]]
    assert found.training.corrected is None


def test_a_run_without_images_has_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_damage_is_named(damage: bytes | None, tmp_path: Path) -> None:
    save(shown(), tmp_path)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:200] if damage is None else damage)
    with pytest.raises(UserError, match=r"examples\.npz"):
        load(tmp_path)
