"""EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946), MONAI's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval
from torch import nn

from fedmed.models.net import Model, Net, classifier

# Table 1 of the paper in MONAI's notation: r repeats, k kernel, s stride, e expansion, i and o channels.
STAGES = (
    "r1_k3_s11_e1_i32_o16_se0.25",
    "r2_k3_s22_e6_i16_o24_se0.25",
    "r2_k5_s22_e6_i24_o40_se0.25",
    "r3_k3_s22_e6_i40_o80_se0.25",
    "r3_k5_s11_e6_i80_o112_se0.25",
    "r4_k5_s22_e6_i112_o192_se0.25",
    "r1_k3_s11_e6_i192_o320_se0.25",
)


@dataclass(frozen=True, kw_only=True)
class EfficientNetB0(Model):
    """EfficientNet-B0, 4.0 million parameters; features (B, 1280).

    dropout: probability of dropping a feature before the head (0 to below 1; 0: none).
    drop_path: probability that an image skips the last residual block; earlier blocks less (0 to below 1; 0: none).
    norm_momentum: share of each batch in batch normalisation's running statistics (above 0 to 1; the paper's 0.01 needs
       thousands of steps, more than a short federated run has).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    drop_path: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    norm_momentum: Annotated[float, Interval(gt=0, le=1)] = 0.1

    @property
    def min_side(self) -> int:
        return 33

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        from monai.networks.nets.efficientnet import EfficientNet

        # MONAI's EfficientNetBN pads for 224 pixels whatever the images; here it pads for their own side.
        features = EfficientNet(
            blocks_args_str=list(STAGES),
            spatial_dims=2,
            in_channels=channels,
            num_classes=outputs,
            image_size=side,
            norm=("batch", {"eps": 1e-3, "momentum": self.norm_momentum}),
            drop_connect_rate=self.drop_path,
        )
        width = features._fc.in_features
        for name in ("_dropout", "_fc"):
            features.add_module(name, nn.Identity())
        return Net(features, classifier(width, outputs, self.dropout))
