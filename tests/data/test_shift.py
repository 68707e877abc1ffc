from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from fedmed.data.shift import CHUNK, NoneShift, Scanner, ScannerShift, Shift, StyleShift
from fedmed.errors import UserError

NEUTRAL = Scanner(1.0, 1.0, 0.0, torch.eye(1), torch.ones(1, 1, 4, 4), 0.0, 0.0, 0.0)


def smooth(channels: int = 1, count: int = 3, side: int = 32) -> Tensor:
    """Images (N, C, H, W) in 0..1 with discs on black."""
    axis = torch.linspace(-1, 1, side)
    distance = (axis[:, None] ** 2 + axis**2).sqrt()
    images = [torch.sigmoid((0.4 + 0.1 * k - distance) * 10) * 0.8 for k in range(count)]
    return torch.stack(images)[:, None].repeat(1, channels, 1, 1)


def eight_bit(x: Tensor) -> Tensor:
    return (x * 255).round().to(torch.uint8)


def test_none_is_the_image_itself() -> None:
    x = smooth()
    assert NoneShift().apply(x, 3, 0) is x


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_strength_zero_changes_no_bit(channels: int) -> None:
    for x in (smooth(channels), eight_bit(smooth(channels))):
        assert ScannerShift(strength=0.0).apply(x, 0, 0) is x


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("eight", [True, False])
def test_type_range_and_input_are_kept(channels: int, eight: bool) -> None:
    x = eight_bit(smooth(channels)) if eight else smooth(channels)
    before = x.clone()
    shifted = ScannerShift(strength=1.0).apply(x, 0, 0)
    assert torch.equal(x, before)
    assert (shifted.dtype, shifted.shape) == (x.dtype, x.shape)
    assert 0 <= shifted.min() <= shifted.max() <= (255 if eight else 1)
    assert not torch.equal(shifted, x)


def test_seed_and_domain_alone_decide() -> None:
    x, shift = eight_bit(smooth(3)), ScannerShift()
    first = shift.apply(x, 1, 0)
    shift.apply(x, 0, 0)
    assert torch.equal(shift.apply(x, 1, 0), first)
    assert not torch.equal(shift.apply(x, 2, 0), first)
    assert not torch.equal(shift.apply(x, 1, 1), first)
    assert torch.equal(ScannerShift(seed=0).apply(x, 1, 9), first)


def test_images_of_a_domain_have_noise_of_their_own() -> None:
    same = smooth(count=1).expand(4, 1, 32, 32)
    shifted = ScannerShift(strength=1.0).apply(same, 0, 0)
    assert not torch.equal(shifted[0], shifted[1])
    assert (shifted[0] - shifted[1]).abs().mean() < 0.1


def test_an_image_does_not_depend_on_what_comes_after_it() -> None:
    x = torch.rand(CHUNK + 5, 1, 8, 8)
    whole = ScannerShift().apply(x, 0, 0)
    assert torch.equal(ScannerShift().apply(x[:CHUNK], 0, 0), whole[:CHUNK])


def test_no_domain_is_saturated_and_all_differ() -> None:
    x = smooth(3)
    shifted = torch.stack([ScannerShift(strength=1.0).apply(x, domain, 0) for domain in range(40)])
    assert (shifted >= 1).float().mean((1, 2, 3, 4)).max() < 0.02
    assert all(0.02 < image.mean() < 0.8 for image in shifted)
    means = shifted.mean((1, 3, 4))  # (domains, channels)
    assert torch.pdist(means).min() > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_more_strength_moves_images_further(channels: int) -> None:
    x = smooth(channels)

    def distance(strength: float) -> float:
        moved = [(ScannerShift(strength=strength).apply(x, domain, 0) - x).abs().mean() for domain in range(10)]
        return float(np.mean(moved))

    assert 0 < distance(0.01) < 0.01 < distance(0.3) < distance(0.6) < distance(1.0)


def test_a_scanner_without_properties_changes_nothing() -> None:
    x = smooth()
    assert torch.allclose(NEUTRAL.take(x, torch.Generator()), x)


def test_properties_vary_between_domains_within_bounds_that_strength_sets() -> None:
    def drawn(strength: float) -> np.ndarray:
        scanners = [Scanner.draw(strength, 1, torch.Generator().manual_seed(k)) for k in range(200)]
        return np.array([[np.log2(s.gamma), s.gain - 1, s.offset, s.bias_depth, s.blur, s.noise] for s in scanners])

    full = drawn(1.0)
    assert full.max(0) == pytest.approx([1, 0.1, 0.05, 0.6, 0.02, 0.06], rel=0.1)
    assert full.min(0) == pytest.approx([-1, -0.3, -0.05, 0.2, 0, 0], rel=0.1, abs=1e-3)
    assert drawn(0.25) == pytest.approx(full / 4)


def test_what_the_offset_takes_below_black_is_black() -> None:
    dark = replace(NEUTRAL, offset=-0.3)
    assert not dark.take(torch.zeros(1, 1, 8, 8), torch.Generator()).any()


def test_rgb_domains_have_colours_of_their_own() -> None:
    shifted = ScannerShift().apply(smooth(3), 0, 0)
    assert shifted.mean((0, 2, 3)).std() > 0.005


def test_rician_noise_lifts_black_by_its_mean() -> None:
    noisy = Scanner(1.0, 1.0, 0.0, torch.eye(1), torch.ones(1, 1, 4, 4), 0.0, 0.0, 0.05)
    black = noisy.take(torch.zeros(20, 1, 32, 32), torch.Generator().manual_seed(0))
    assert black.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.02)  # the mean of a Rayleigh distribution


@pytest.mark.parametrize("shift", [ScannerShift(strength=1.0), StyleShift(strength=2.0)])
@pytest.mark.parametrize("domain", range(5))
def test_a_single_pixel_or_no_image_at_all(shift: Shift, domain: int) -> None:
    assert shift.apply(torch.full((2, 1, 1, 1), 0.5), domain, 0).shape == (2, 1, 1, 1)
    assert shift.apply(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), domain, 0).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("value", [-0.5, 1.5, float("nan")])
def test_values_outside_the_range_are_refused(value: float) -> None:
    for shift in (ScannerShift(), StyleShift()):
        with pytest.raises(UserError, match="float from 0 to 1"):
            shift.apply(torch.full((2, 1, 4, 4), value), 0, 0)


def test_domains_take_turns_at_the_styles() -> None:
    x, shift = eight_bit(smooth(3)), StyleShift()
    shown = [shift.apply(x, domain, 0) for domain in range(7)]
    assert torch.equal(shown[0], x)
    assert torch.equal(shown[5], x)
    assert not torch.equal(shown[6], shown[1])  # the same style, textures of its own
    assert len({each.numpy().tobytes() for each in shown}) == 6
    assert all((each.dtype, each.shape) == (x.dtype, x.shape) for each in shown)
    assert torch.equal(shift.apply(x, 1, 0), shown[1])
    assert not torch.equal(shift.apply(x, 1, 1), shown[1])
    assert torch.equal(StyleShift(seed=0).apply(x, 1, 9), shown[1])
    assert StyleShift(strength=0.0).apply(x, 1, 0) is x


def test_a_client_is_told_by_its_style() -> None:
    assert StyleShift().distinction(6, 7) == "textured images"
    assert StyleShift(by="group", groups=2).distinction(6, 7) == "textured images"
    assert StyleShift(by="site").distinction(1, 5) == StyleShift(strength=0.0).distinction(1, 5) == ""


def test_styles_are_of_images_not_of_volumes() -> None:
    with pytest.raises(UserError, match=r"shift: expected images \(N, C, H, W\) for shift=style, got 5 dimensions"):
        StyleShift().apply(torch.zeros(2, 1, 4, 4, 4), 0, 0)
