from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fedmed.errors import UserError
from fedmed.rundir.tensors import pack_state, pack_weights, read_weights, unpack_state


def roundtrip(state: dict[str, Any]) -> dict[str, Any]:
    return unpack_state(pack_state(state, "server"), Path("server.pt"))


def test_weights_keep_order_dtype_and_bits(tmp_path: Path) -> None:
    weights = {
        "z": torch.tensor([float("nan"), -0.0, 1e-45]),
        "a": torch.arange(24.0).view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        "count": torch.tensor(7),
        "half": torch.tensor([0.1], dtype=torch.bfloat16),
        "flag": torch.tensor([True, False]),
    }
    (tmp_path / "w").write_bytes(pack_weights(weights, {"round": "3"}))
    loaded, notes = read_weights(tmp_path / "w")
    assert list(loaded) == list(weights)
    assert notes["round"] == "3"
    for name, weight in weights.items():
        assert loaded[name].dtype == weight.dtype
        assert loaded[name].is_contiguous()
        torch.testing.assert_close(loaded[name], weight.contiguous(), rtol=0, atol=0, equal_nan=True)
    assert torch.signbit(loaded["z"][1])


def test_weights_that_share_memory_are_saved_apart(tmp_path: Path) -> None:
    w = torch.ones(3)
    (tmp_path / "w").write_bytes(pack_weights({"a": w, "b": w}))
    assert set(read_weights(tmp_path / "w")[0]) == {"a", "b"}


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model_3.safetensors"
    path.write_bytes(pack_weights({"a": torch.ones(100)})[:-7])
    with pytest.raises(UserError, match=r"model_3\.safetensors"):
        read_weights(path)


def test_nested_state_keeps_structure_and_strides() -> None:
    x = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    state = {
        "scaffold": {"c": {"w": x}, "empty": {}, "n": 3, "s": "a", "ok": True, "none": None, "list": [1, x], 5: 0.1}
    }
    loaded = roundtrip(state)["scaffold"]
    assert loaded["c"]["w"].stride() == x.stride()
    assert torch.equal(loaded["c"]["w"], x)
    assert loaded["empty"] == {}
    assert (loaded["n"], loaded["s"], loaded["ok"], loaded["none"], loaded[5]) == (3, "a", True, None, 0.1)
    assert torch.equal(loaded["list"][1], x)


def test_a_small_view_does_not_drag_its_whole_storage_along() -> None:
    assert len(pack_state({"row": torch.zeros(10**6)[:10]}, "server")) < 10_000


def test_gradients_and_numpy_numbers_become_plain() -> None:
    loaded = roundtrip({"w": torch.nn.Parameter(torch.ones(2)), "x": np.float64(0.1), "n": np.int32(4)})
    assert not loaded["w"].requires_grad
    assert (type(loaded["x"]), loaded["x"], loaded["n"]) == (float, 0.1, 4)


@pytest.mark.parametrize("value", [object(), np.zeros(3), {1, 2}, lambda: None])
def test_what_is_not_data_is_named(value: object) -> None:
    with pytest.raises(UserError, match=r"state client 3\.moon\.extra"):
        pack_state({"moon": {"extra": value}}, "client 3")


def test_damaged_state_is_named() -> None:
    with pytest.raises(UserError, match=r"client_3_1\.pt"):
        unpack_state(pack_state({"a": torch.ones(100)}, "client 3")[:-50], Path("client_3_1.pt"))
