"""The fake device refuses what CUDA refuses; without this, runs on it would show nothing."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.fake_device import Elsewhere, elsewhere, home


def test_a_net_trains_there_with_the_bits_of_the_processor() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    x, y = torch.rand(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    here = copy.deepcopy(net)
    with elsewhere() as device:
        there = net.to(device)
        _train(there, x.to(device), y.to(device))
        assert all(isinstance(t, Elsewhere) for t in there.state_dict().values())
        found = home(dict(there.state_dict()))
    _train(here, x, y)
    assert [n for n, t in here.state_dict().items() if not torch.equal(t, found[n])] == []


def _train(net: nn.Module, x: Tensor, y: Tensor) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()


@pytest.mark.parametrize(
    "mix",
    [
        lambda there, here: there + here,
        lambda there, here: here * there,
        lambda there, here: there.add_(here),
        lambda there, here: here.add_(there),
        lambda there, here: torch.cat([there, here]),
        lambda there, here: torch.stack([there.sum(), here.sum()]),
        lambda there, here: here.sum().add_(there.sum()),
        lambda there, here: there.index_select(0, here.long()),
        lambda there, here: there.new_zeros(3).index_add_(0, here.long(), there),
        lambda there, here: here[there.long()],
        lambda there, here: torch.equal(there, here),
        lambda there, here: there.numpy(),
        lambda there, here: there.uniform_(generator=torch.Generator()),
        lambda there, here: torch.rand(3, generator=torch.Generator(), device=there.device),
        lambda there, here: there @ here,
        lambda there, here: torch.where(here > 0, there, there),
    ],
)
def test_what_cuda_refuses_is_refused(mix: Callable[[Tensor, Tensor], object]) -> None:
    with elsewhere() as device, pytest.raises((RuntimeError, TypeError)):
        mix(torch.ones(3, device=device), torch.ones(3))


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (lambda there, here: there[here.long()], [1, 1, 1]),
        (lambda there, here: there + here.sum(), [4, 4, 4]),
        (lambda there, here: (there + there).cpu() + here, [3, 3, 3]),
        (lambda there, here: here.to(there.device) + there, [2, 2, 2]),
        (lambda there, here: here.copy_(there * 2), [2, 2, 2]),
        (lambda there, here: there.tolist(), [1, 1, 1]),
        (lambda there, here: [there.sum().item()], [3]),
        (lambda there, here: torch.zeros_like(there).masked_fill_(there > 0, 5), [5, 5, 5]),
        (lambda there, here: there.new_tensor([7]).to("cpu"), [7]),
    ],
)
def test_what_cuda_allows_is_allowed(
    allowed: Callable[[Tensor, Tensor], Tensor | list[int]], expected: list[int]
) -> None:
    with elsewhere() as device:
        found = home(allowed(torch.ones(3, device=device), torch.ones(3)))
    assert (found if isinstance(found, list) else found.tolist()) == expected
