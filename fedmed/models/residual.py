"""Residual networks of basic blocks (He et al., CVPR 2016, arXiv 1512.03385), MONAI's."""

from __future__ import annotations

from collections.abc import Sequence

from fedmed.models.net import Net, classifier


def residual_net(blocks: Sequence[int], channels: int, outputs: int, stem_stride: int, dimensions: int) -> Net:
    """A net with so many blocks in each of its four stages; features (B, 512).

    dimensions: of the images, 2 or 3. stem_stride: stride of the first convolution; the smallest image has sides of
    16 * stem_stride + 1 pixels.
    """
    from monai.networks.nets.resnet import ResNet

    # MONAI's own `resnet18` has shortcut type A, which cuts the gradient (`out.data`); B is the usual projection.
    features = ResNet(
        block="basic",
        layers=list(blocks),
        block_inplanes=[64, 128, 256, 512],
        spatial_dims=dimensions,
        n_input_channels=channels,
        conv1_t_stride=stem_stride,
        shortcut_type="B",
        bias_downsample=False,
        feed_forward=False,
    )
    return Net(features, classifier(512, outputs))
