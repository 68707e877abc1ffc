import json
import math
from pathlib import PurePosixPath

import numpy as np
import pytest

from fedmed.errors import UserError
from fedmed.rundir.json_text import dumps, parse


def test_what_json_has_no_word_for_becomes_null_or_a_number() -> None:
    row = {"a": math.nan, "b": [math.inf, 1], "c": {"d": np.float32(0.5), "e": np.int64(3), "f": np.float64("nan")}}
    assert json.loads(dumps(row)) == {"a": None, "b": [None, 1], "c": {"d": 0.5, "e": 3, "f": None}}


def test_arrays_booleans_paths_and_number_keys() -> None:
    row = {1: np.array([1, 2]), "ok": np.bool_(True), "no": False, "path": PurePosixPath("runs/1")}
    assert json.loads(dumps(row)) == {"1": [1, 2], "ok": True, "no": False, "path": "runs/1"}


def test_floats_keep_every_bit() -> None:
    value = 0.1 + 0.2
    assert parse(dumps({"x": value}).encode(), "here")["x"] == value


def test_other_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        dumps({"x": object()})


@pytest.mark.parametrize("text", [b'{"a": 1', b"[1, 2]", b"\xff\xfe"])
def test_damage_is_named(text: bytes) -> None:
    with pytest.raises(UserError, match=r"rows.jsonl, line 3"):
        parse(text, "rows.jsonl, line 3")
