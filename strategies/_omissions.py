"""Omissions: background that a net is sure to be foreground, pixel by pixel or by whole objects.

FedIA's correction of masks (Xiang et al., MICCAI 2024, arXiv 2407.02280); by objects is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fedmed.strategies._completeness import numbered


def hidden(p: Tensor, y: Tensor, threshold: float) -> Tensor:
    """Which background pixels are surely foreground, bool; p: probabilities, y: masks, all (B, H, W)."""
    # y_new = 1 where f(x)[1] > tau_c and y = 0 and argmax f(x) = 1, else y
    return (p > max(threshold, 0.5)) & (y == 0)


def hidden_objects(p: Tensor, y: Tensor, threshold: float, connectivity: int) -> Tensor:
    """Predicted objects, whole, that touch no annotated one and somewhere reach `threshold`, bool, all (B, H, W)."""
    likely, drawn = (p > 0.5).cpu().numpy(), (y > 0).cpu().numpy()
    of, count = numbered(likely | drawn, connectivity)
    keep = np.zeros(count + 1, bool)
    keep[of[(p > threshold).cpu().numpy()]] = True
    keep[of[drawn]] = False
    keep[0] = False
    return torch.from_numpy(keep[of]).to(p.device)


@dataclass(slots=True)
class OmissionSearch:
    """The search for what a client's masks leave out.

    open: images not yet looked at (N,) bool. objects: neighbours that make pixels one object (4 or 8), where whole
    objects are looked for; None: pixels. found: numbers of pixels, counted over all masks as one row, by part.
    """

    open: Tensor
    objects: int | None = None
    found: list[Tensor] = field(default_factory=list)

    def look(self, index: Tensor, p: Tensor, y: Tensor, seen: Tensor | None, threshold: float) -> None:
        """Notes the background pixels that are taken for foreground, of images (B,) not yet looked at.

        index: rows of the images. p, y, seen: as for `hidden`, and what is annotated (None: all).
        """
        found = hidden(p, y, threshold) if self.objects is None else hidden_objects(p, y, threshold, self.objects)
        found = found & self.open[index, None, None].to(p.device)
        image, pixel = (found if seen is None else found & seen).flatten(1).nonzero().cpu().unbind(1)
        self.found.append(index.cpu()[image] * found[0].numel() + pixel)
        self.open[index] = False

    def pixels(self, count: int) -> Tensor:
        """Numbers of all pixels found, of `count` there are; int32 where these suffice."""
        return torch.cat(self.found).to(torch.int32 if count <= 2**31 else torch.int64)
