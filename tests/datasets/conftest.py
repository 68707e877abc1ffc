import numpy as np
import pytest

from fedmed.datasets.npz import Npz
from fedmed.errors import UserError


@pytest.fixture
def load(tmp_path):
    def from_arrays(options=None, /, **arrays):
        np.savez(tmp_path / "own.npz", **arrays)
        return Npz(path=str(tmp_path / "own.npz"), **(options or {})).load()

    return from_arrays


@pytest.fixture
def refused(load):
    def because(match, options=None, /, **arrays):
        with pytest.raises(UserError, match=match) as caught:
            load(options, **arrays)
        assert "own.npz" in str(caught.value) or "dataset." in str(caught.value)
        return str(caught.value)

    return because
