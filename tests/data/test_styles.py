import pytest
import torch
from torch import Tensor

from fedmed.data.styles import STYLES, restyled
from fedmed.rng import generator

CHANGED = STYLES[1:]


def discs(count: int = 6, channels: int = 3, side: int = 28, width: int | None = None) -> Tensor:
    """Images (N, C, H, W) of a disc each, of growing size, on black."""
    y, x = torch.linspace(-1, 1, side)[:, None], torch.linspace(-1, 1, width or side)
    distance = (x**2 + y**2).sqrt()
    images = [torch.sigmoid((0.3 + 0.05 * (k % 8) - distance) * 20) * 0.9 for k in range(count)]
    return torch.stack(images)[:, None].repeat(1, channels, 1, 1)


def styled(x: Tensor, style: str, strength: float = 1.0, seed: int = 0) -> Tensor:
    return restyled(x, style, strength, generator(seed, "style"))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_range_and_shape_are_kept_for_any_image(style: str, channels: int) -> None:
    for x in (discs(channels=channels), discs(channels=channels, width=17), discs(1, channels), discs(1, channels)[:0]):
        for strength in (0.3, 1.0, 4.0):
            found = styled(x, style, strength)
            assert found.shape == x.shape
            assert not len(x) or 0 <= found.min() <= found.max() <= 1


def test_plain_is_the_image_itself() -> None:
    assert torch.equal(styled(discs(), "plain", 3.0), discs())


@pytest.mark.parametrize("style", CHANGED)
def test_no_strength_is_the_image_itself_and_more_moves_it_further(style: str) -> None:
    x = discs(60)
    shown = [styled(x, style, strength) for strength in (0.0, 0.2, 0.6, 1.0, 1.5)]
    moved = [(each - x).abs().mean().item() for each in shown]
    assert moved[0] < 1e-6
    assert moved[:4] == sorted(moved[:4])
    assert moved[1] > 1e-3
    assert (shown[3] - shown[4]).abs().mean() > 1e-3


@pytest.mark.parametrize("style", ["textured", "coloured"])
def test_every_image_has_draws_of_its_own(style: str) -> None:
    same = discs(1).expand(4, -1, -1, -1)
    found = styled(same, style)
    assert torch.pdist(found.flatten(1)).min() > 1


def test_textures_are_blobs_and_stripes_in_colours() -> None:
    texture = styled(torch.zeros(8, 3, 28, 28), "textured")
    assert texture.mean().item() == pytest.approx(0.25, abs=0.04)
    assert texture.flatten(2).std(2).min() > 0.02
    assert (texture[:, 0] - texture[:, 1]).abs().mean() > 0.02


def test_two_colours_are_where_black_and_white_were() -> None:
    black, white = (styled(torch.full((50, 3, 2, 2), value), "coloured") for value in (0.0, 1.0))
    assert 0 <= black.min() < 0.05 < 0.55 < black.max() <= 0.6
    assert 0.4 <= white.min() < 0.45 < 0.95 < white.max() <= 1
    assert (white < black).any()


def test_inverted_images_are_dark_on_bright_with_neighbours_at_both_sides() -> None:
    x = discs()
    x[1, :, :, 10:18] = 1  # a pattern in the middle of the second image
    found = styled(x, "inverted")
    assert found[0, 0, 14, 14] < 0.2 < 0.9 < found[0, 0, 2, 14]
    assert (found[2, 0, :, :4].mean(), found[2, 0, :, -4:].mean()) < (0.3, 0.3)  # the second one's, inverted
    assert found[1, 0, 2, :3].mean() > 0.9
    half = styled(discs(400), "inverted", 0.5)
    assert (half[:, 0, 2, 14] > 0.5).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_an_image_shows_those_before_it_only() -> None:
    x = discs()
    assert torch.equal(styled(x, "inverted")[:3], styled(x[:3], "inverted"))


def test_coarse_images_have_the_detail_of_a_third_of_the_side() -> None:
    checks = (torch.arange(27)[:, None] + torch.arange(27)).remainder(2).float().expand(1, 1, -1, -1)
    assert styled(checks, "coarse").std() < 0.1 * checks.std()
    wide = torch.zeros(1, 1, 27, 27)
    wide[..., :14] = 1
    assert (styled(wide, "coarse") - wide).abs().mean() < 0.06
