from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fedmed.errors import UserError
from fedmed.rundir.federation import NAME, FederationSummary, client_labels, load_federation, save_federation


def picture(annotated: np.ndarray | None = None) -> FederationSummary:
    return FederationSummary(
        title="t",
        counts=np.array([[1, 2], [3, 4]]),
        images=np.array([[3, 1, 0], [7, 1, 0]]),
        annotated=annotated,
        completeness=None,
        class_names=("a", "b"),
        client_names=["0", "1"],
        site_names=None,
        server_test=5,
    )


def test_a_picture_comes_back(tmp_path: Path) -> None:
    save_federation(picture(np.array([[0.5, np.nan], [1, 1]])), tmp_path)
    found = load_federation(tmp_path)
    assert found is not None
    assert found.counts.tolist() == [[1, 2], [3, 4]]
    assert found.annotated is not None
    assert np.array_equal(found.annotated, np.array([[0.5, np.nan], [1, 1]]), equal_nan=True)
    assert (found.completeness, found.site_names, found.subtitle) == (None, None, picture().subtitle)


def test_a_run_without_a_picture_has_none(tmp_path: Path) -> None:
    assert load_federation(tmp_path) is None


@pytest.mark.parametrize("change", [{"counts": "many"}, {"colour": 1}])
def test_damage_is_named(change: dict[str, object], tmp_path: Path) -> None:
    save_federation(picture(), tmp_path)
    found = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    (tmp_path / NAME).write_text(json.dumps(found | change), encoding="utf-8")
    with pytest.raises(UserError, match=r"federation\.json"):
        load_federation(tmp_path)


def test_how_clients_differ_by_design_stands_beside_their_names(tmp_path: Path) -> None:
    save_federation(replace(picture(), kinds=["", "relabelled"]), tmp_path)
    found = load_federation(tmp_path)
    assert found is not None
    assert client_labels(found) == ["0", "1 · relabelled"]
    older = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    del older["kinds"]
    (tmp_path / NAME).write_text(json.dumps(older), encoding="utf-8")
    assert load_federation(tmp_path) is not None
