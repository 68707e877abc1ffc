import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fedmed.data.mapped_images import MappedImages


@pytest.fixture
def both(tmp_path: Path) -> tuple[MappedImages, torch.Tensor]:
    """Mapped images, and the same in memory."""
    values = np.random.default_rng(0).integers(0, 256, (20, 3, 4, 5), dtype=np.uint8)
    np.save(tmp_path / "images.npy", values)
    return MappedImages.open(tmp_path / "images.npy", 18), torch.from_numpy(values[:18])


def test_it_has_shape_and_type_without_reading(both: tuple[MappedImages, torch.Tensor]) -> None:
    mapped, x = both
    assert (mapped.shape, mapped.dtype, len(mapped), mapped.nbytes) == (x.shape, x.dtype, 18, x.nbytes)
    assert repr(mapped).startswith("MappedImages(")


def test_choosing_rows_copies_nothing_until_they_are_used(both: tuple[MappedImages, torch.Tensor]) -> None:
    mapped, x = both
    order = torch.tensor([5, 3, 17, 0, 5])
    lazy = [mapped.chosen(order), mapped[2:9], mapped[::3], *mapped.split(7), torch.cat([mapped[4:6], mapped[:2]])]
    plain = [x[order], x[2:9], x[::3], *x.split(7), torch.cat([x[4:6], x[:2]])]
    for one, other in zip(lazy, plain, strict=True):
        assert type(one) is MappedImages
        assert torch.equal(one.in_memory(), other)
    assert torch.equal(mapped[2:9][1:3][0], x[3])


def test_a_batch_is_a_tensor_of_its_own(both: tuple[MappedImages, torch.Tensor]) -> None:
    mapped, x = both
    for index in (torch.tensor([4, 4, 1]), torch.arange(18) % 2 == 0):
        assert type(mapped[index]) is torch.Tensor
        assert torch.equal(mapped[index], x[index])
    mapped[torch.tensor([0])].zero_()
    assert torch.equal(mapped.in_memory(), x)


def test_other_operations_work_on_a_copy(both: tuple[MappedImages, torch.Tensor]) -> None:
    mapped, x = both
    assert torch.equal(mapped[3:5] * torch.tensor(0.5), x[3:5] * 0.5)
    assert torch.equal(mapped.double().mean((0, 2, 3)), x.double().mean((0, 2, 3)))
    assert np.array_equal(mapped[1:4].numpy(), x[1:4].numpy())
    assert torch.equal(mapped[:, 1], x[:, 1])


def test_another_process_gets_its_name_and_rows_only(both: tuple[MappedImages, torch.Tensor]) -> None:
    mapped, x = both
    sent = pickle.dumps(mapped[3:5])
    assert len(sent) < 2000
    assert torch.equal(pickle.loads(sent).in_memory(), x[3:5])
