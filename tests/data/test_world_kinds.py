"""Worlds whose clients differ in kind: scanners of groups, label conventions, free riders."""

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.annotation import FreeRiderAnnotation, RelabelledAnnotation
from fedmed.data.shift import ScannerShift
from fedmed.errors import UserError
from tests.data.tables import table
from tests.data.test_world import build


def test_neighbouring_clients_of_a_group_have_one_scanner() -> None:
    class Marks(ScannerShift):
        def apply(self, x: Tensor, domain: int, seed: int) -> Tensor:
            return torch.full_like(x, domain + 1)

    made = table()
    world = build(made, shift=Marks(by="group", groups=2), clients=4)
    assert [audit.kind for audit in world.audit] == ["scanner 0", "scanner 0", "scanner 1", "scanner 1"]
    held = [torch.cat([share.train.x, share.val.x, share.test.x]).unique().tolist() for share in world.shares]
    assert held == [[1], [1], [2], [2]]
    marked = {name: world.test.x[torch.from_numpy(rows)].unique().tolist() for name, rows in world.test_domains.items()}
    assert marked == {"group 0": [1], "group 1": [2]}
    assert sum(map(len, world.test_domains.values())) == len(world.test)
    with pytest.raises(UserError, match=r"shift\.groups: expected at most 4, the number of clients, got 5"):
        build(made, shift=ScannerShift(by="group", groups=5), clients=4)


def test_a_label_convention_holds_for_all_images_of_a_client_and_for_no_other() -> None:
    made = table()
    plain = build(made)
    world = build(made, annotation=RelabelledAnnotation(clients=(1,), permutation=(2, 0, 1, 3)))
    table_of = torch.tensor([2, 0, 1, 3])
    for client, (before, now) in enumerate(zip(plain.shares, world.shares, strict=True)):
        for part in ("train", "val", "test"):
            true, own = getattr(before, part).y, getattr(now, part).y
            assert torch.equal(own, table_of[true] if client == 1 else true)
        assert now.audit is None
        assert now.truth is not None
        assert torch.equal(now.truth, now.train.y)
    assert torch.equal(plain.test.y, world.test.y)
    assert plain.fingerprint == world.fingerprint
    assert [audit.kind for audit in world.audit] == ["", "relabelled", ""]


def test_a_free_rider_has_few_training_images_and_is_tested_on_true_labels() -> None:
    made = table()
    plain, world = build(made), build(made, annotation=FreeRiderAnnotation(share=0.1))
    assert [len(share.train) for share in world.shares[:2]] == [len(share.train) for share in plain.shares[:2]]
    few, all_ = world.shares[2], plain.shares[2]
    assert len(few.train) == round(0.1 * len(all_.train))
    assert torch.equal(few.test.y, all_.test.y)
    assert few.audit is not None
    assert torch.equal(few.audit.y, all_.val.y)
    assert np.array_equal(np.concatenate(plain.parts), np.concatenate(world.parts))
