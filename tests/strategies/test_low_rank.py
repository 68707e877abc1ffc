"""Layers with a low-rank update: their sums, how strong an update grows, and what merging gives."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fedmed.strategies._low_rank import LowRankConv2d, LowRankLinear, draw
from fedmed.strategies.lora import scale


def test_two_numbers_through_a_layer() -> None:
    layer = LowRankLinear(_zero(nn.Linear(2, 2, bias=False)), 1, 0.5)
    _set(layer, [[1.0, 2.0]], [[3.0], [4.0]])
    assert layer(torch.ones(1, 2)).tolist() == [[4.5, 6.0]]


OWN = {
    "lora": [[1, 0.127, 0.016], [0.250, 0.032, 0.004], [0.063, 0.008, 0.001]],
    "rslora": [[1, 1.02, 1.02], [0.250, 0.258, 0.259], [0.063, 0.064, 0.064]],
    "sfed": [[1, 1.02, 1.02], [1.00, 1.03, 1.04], [1.01, 1.02, 1.03]],
}
ONE = {
    "lora": [[1, 0.127, 0.016], [1.04, 0.128, 0.016], [1.02, 0.132, 0.016]],
    "rslora": [[1, 1.02, 1.02], [1.04, 1.02, 1.02], [1.02, 1.05, 1.02]],
    "sfed": [[1, 1.02, 1.02], [4.18, 4.09, 4.09], [16.4, 16.8, 16.4]],
}


@pytest.mark.parametrize(("start", "table"), [("own", OWN), ("one", ONE)])
@pytest.mark.parametrize("scaling", ["lora", "rslora", "sfed"])
def test_invariance_table(start: str, table: dict[str, Any], scaling: str) -> None:
    """One averaging of A, then ten local steps: how far they go, by N = 1, 4, 16 and r = 4, 32, 256, to 10 %."""
    found = torch.tensor([[_signal(scaling, n, r, own=start == "own") for r in (4, 32, 256)] for n in (1, 4, 16)])
    expected = torch.tensor(table[scaling])
    # the table has three digits after the point
    torch.testing.assert_close((found / found[0, 0]).float(), expected.float(), rtol=0.1, atol=5e-4)


def _signal(scaling: str, clients: int, rank: int, *, own: bool) -> float:
    """<gamma B A, -G> / ||G||^2 after ten steps of 1e-3 on <G, gamma B A>, for a layer of 64 x 64, mean of 24 draws."""
    found = []
    for seed in range(24):
        g = torch.Generator().manual_seed(seed)
        pull = torch.randn(64, 64, generator=g, dtype=torch.float64) / 8
        base = _zero(nn.Linear(64, 64, bias=False)).double()
        layer = LowRankLinear(base, rank, scale(scaling, alpha=1, rank=rank, clients=clients))
        drawn = [draw(layer.lora_A.shape, g).double() for _ in range(clients if own else 1)]
        _set(layer, torch.stack(drawn).mean(0), layer.lora_B)
        optimizer = torch.optim.SGD([layer.lora_A, layer.lora_B], lr=1e-3)
        for _ in range(10):
            optimizer.zero_grad()
            (layer(torch.eye(64, dtype=torch.float64)).T * pull).sum().backward()
            optimizer.step()
        found.append(-(layer.merged().weight * pull).sum().item() / pull.square().sum().item())
    return sum(found) / len(found)


@pytest.mark.parametrize(("rank", "lora", "rslora"), [(4, 0.516, 1.03), (32, 0.176, 0.993), (256, 0.0625, 1.00)])
def test_first_gradient_of_b(rank: int, lora: float, rslora: float) -> None:
    """Of a layer 64 x 64 under a pull of length 8: it falls with the rank unless gamma is of 1 / sqrt(r)."""
    for scaling, expected in (("lora", lora), ("rslora", rslora), ("sfed", rslora)):
        norms = []
        for seed in range(8):
            g = torch.Generator().manual_seed(seed)
            layer = LowRankLinear(
                _zero(nn.Linear(64, 64, bias=False)), rank, scale(scaling, alpha=1, rank=rank, clients=1)
            )
            _set(layer, draw(layer.lora_A.shape, g), layer.lora_B)
            (layer(torch.eye(64)).T * torch.randn(64, 64, generator=g) / 8).sum().backward()
            norms.append(_gradient(layer.lora_B).norm().item())
            assert not _gradient(layer.lora_A).any()
        assert sum(norms) / 8 == pytest.approx(expected, rel=0.05)


LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), (3, 6)),
    "linear without bias": (lambda: nn.Linear(6, 5, bias=False), (3, 6)),
    "conv": (lambda: nn.Conv2d(3, 5, 3, padding=1), (2, 3, 8, 8)),
    "stride": (lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=False), (2, 3, 9, 9)),
    "dilation": (lambda: nn.Conv2d(3, 5, (3, 2), dilation=2, padding=(2, 0)), (2, 3, 9, 9)),
    "reflected": (lambda: nn.Conv2d(3, 5, 3, padding=1, padding_mode="reflect"), (2, 3, 8, 8)),
    "same": (lambda: nn.Conv2d(3, 5, 3, padding="same"), (2, 3, 8, 8)),
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_an_update_of_zero_changes_no_bit_and_a_merged_layer_gives_the_same(name: str, channels_last: bool) -> None:
    make, shape = LAYERS[name]
    base, x = make(), torch.randn(*shape)
    if channels_last and x.dim() == 4:
        base, x = (part.to(memory_format=torch.channels_last) for part in (base, x))  # type: ignore[attr-defined]
    plain, layer = base(x), (LowRankConv2d if x.dim() == 4 else LowRankLinear)(base, 2, 0.7)
    if channels_last and x.dim() == 4:
        layer = layer.to(memory_format=torch.channels_last)
    assert torch.equal(layer(x), plain)
    _set(layer, layer.lora_A, torch.randn_like(layer.lora_B))
    merged = layer.merged()
    assert type(merged) is type(base)
    assert merged.state_dict().keys() == base.state_dict().keys()
    assert (layer(x) - plain).abs().max() > 0.1
    torch.testing.assert_close(merged(x), layer(x), rtol=0, atol=1e-5)


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    return layer


def _set(layer: Any, a: Any, b: Any) -> None:
    with torch.no_grad():
        layer.lora_A.copy_(torch.as_tensor(a))
        layer.lora_B.copy_(torch.as_tensor(b))


def _gradient(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad
