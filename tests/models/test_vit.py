"""The Vision Transformer: split as MONAI's, learns, adapts by low-rank updates."""

import pytest
import torch
import torch.nn.functional as F

from fedmed.errors import UserError
from fedmed.models.vit import ViT
from fedmed.strategies._low_rank import adaptable

SMALL = ViT(width=16, depth=2, heads=2)


def test_the_split_computes_what_monai_does() -> None:
    from monai.networks.nets.vit import ViT as WholeViT

    options = {"hidden_size": 16, "mlp_dim": 32, "num_layers": 2, "num_heads": 2, "spatial_dims": 2}
    whole = WholeViT(3, 8, 4, **options, classification=True, num_classes=5, post_activation="none")
    net, x = SMALL.build(3, 5, 8), torch.rand(2, 3, 8, 8)

    named = {name.replace("features.body.", ""): value for name, value in net.state_dict().items()}
    named = {name.replace("head.", "classification_head."): value for name, value in named.items()}
    assert {
        name for name in whole.load_state_dict(named, strict=False).missing_keys if "cross_attn" not in name
    } == set()
    torch.testing.assert_close(net.eval()(x), whole.eval()(x)[0])


def test_it_learns() -> None:
    torch.manual_seed(0)
    net = SMALL.build(1, 2, 8)
    y = torch.arange(16) % 2
    x = torch.rand(16, 1, 8, 8) * 0.2
    x[y == 1, :, :4] += 0.5
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_its_linear_layers_can_be_adapted() -> None:
    names = adaptable(ViT(depth=1).build(1, 2, 8).features)
    block = [f"body.blocks.0.{layer}" for layer in ("mlp.linear1", "mlp.linear2", "attn.out_proj", "attn.qkv")]
    assert list(names) == ["body.patch_embedding.patch_embeddings", *block]


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.width: expected a multiple of model\.heads=5, got 96\. Set 95\."):
        ViT(heads=5)
