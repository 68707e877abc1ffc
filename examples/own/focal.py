"""A loss of one's own: focal loss. Lin, Goyal, Girshick, He, Dollár, ICCV 2017, arXiv 1708.02002."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of every image, smaller the surer the net is of the right class; (B, C), (B,) -> (B,)."""
    entropy = F.cross_entropy(logits, y, reduction="none")
    return (1 - (-entropy).exp()) ** 2 * entropy  # -(1 - p)^2 log p
