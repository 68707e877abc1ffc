"""Files of weights of several forms are read; one with more than tensors in it is refused, and runs nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from fedmed.errors import UserError
from fedmed.models.tensor_files import read_tensors


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_files_of_several_forms_are_read(tmp_path: Path, wrapper: str | None) -> None:
    weights = {"conv.weight": torch.ones(2)}
    torch.save({wrapper: weights, "epoch": 3} if wrapper else weights, tmp_path / "w.bin")
    assert torch.equal(read_tensors(tmp_path / "w.bin", where="here")["conv.weight"], torch.ones(2))


def test_a_pickle_of_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "net.pt")
    (tmp_path / "any.pkl").write_bytes(pickle.dumps(Path("x")))
    torch.save({"state_dict": {"a": torch.ones(1), "epoch": 3}}, tmp_path / "mixed.pt")
    for name, words in (
        ("net.pt", "torch file of tensors"),
        ("any.pkl", "torch file"),
        ("mixed.pt", "names to tensors"),
    ):
        with pytest.raises(UserError, match=words):
            read_tensors(tmp_path / name, where="here")
    with pytest.raises(UserError, match="expected a file, got none"):
        read_tensors(tmp_path / "absent.pt", where="here")


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code of the file ran",)


def test_a_pickle_that_would_run_code_is_refused_and_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}, "more": _Runs()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match="here: expected a safetensors file, or a torch file of tensors"):
        read_tensors(tmp_path / "w.pth", where="here")
    assert capsys.readouterr().out == ""
