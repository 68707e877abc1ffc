"""Omissions: background that a net is sure to be foreground, pixel by pixel or by whole objects.

FedIA's correction of masks (Xiang et al., MICCAI 2024, arXiv 2407.02280); by objects is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fedmed.strategies._completeness import likeliest, numbered


def hidden(p: Tensor, y: Tensor, threshold: float) -> Tensor:
    """Which background pixels are surely foreground, bool; p: probabilities, y: masks, all (B, H, W)."""
    # y_new = 1 where f(x)[1] > tau_c and y = 0 and argmax f(x) = 1, else y
    return (p > max(threshold, 0.5)) & (y == 0)


def hidden_objects(p: Tensor, kind: Tensor, y: Tensor, threshold: float, connectivity: int) -> Tensor:
    """Predicted objects, whole, that touch no annotated one and somewhere reach `threshold`, bool.

    p, kind: probability and number of the likeliest class, y: masks, all (B, H, W) or (B, D, H, W). connectivity: 4 or
    8 neighbours, which in a volume are 6 or 26.
    """
    drawn = (y > 0).cpu().numpy()
    of = numbered((kind > 0).cpu().numpy() | drawn, connectivity)
    keep = np.zeros(of.max(initial=0) + 1, bool)
    keep[of[(p > threshold).cpu().numpy()]] = True
    keep[of[drawn]] = False
    keep[0] = False
    return torch.from_numpy(keep[of]).to(p.device)


@dataclass(slots=True)
class OmissionSearch:
    """The search for what a client's masks leave out.

    open: images not yet looked at (N,) bool. objects: neighbours that make pixels one object (4 or 8), where whole
    objects are looked for; None: pixels. classes: foreground classes, K. found: for every pixel its number, counted
    over all masks as one row, times K, plus its class, from 0, by part.
    """

    open: Tensor
    objects: int | None = None
    classes: int = 1
    found: list[Tensor] = field(default_factory=list)

    def look(self, index: Tensor, p: Tensor, y: Tensor, seen: Tensor | None, threshold: float) -> None:
        """Notes the background pixels that are taken for foreground, of images (B,) not yet looked at.

        index: rows of the images. p: as of `class_probabilities`. y, seen: masks (B, H, W), and what is annotated
        (None: all).
        """
        p, kind = likeliest(p)
        found = hidden(p, y, threshold) if self.objects is None else hidden_objects(p, kind, y, threshold, self.objects)
        found = found & self.open[index].view(-1, *[1] * (y.dim() - 1)).to(p.device)
        found = found if seen is None else found & seen
        image, pixel = found.flatten(1).nonzero().cpu().unbind(1)
        self.found.append((index.cpu()[image] * found[0].numel() + pixel) * self.classes + kind[found].cpu() - 1)
        self.open[index] = False

    def pixels(self, count: int) -> Tensor:
        """All that is found of `count` pixels there are; int32 where that suffices."""
        return torch.cat(self.found).to(torch.int32 if count * self.classes <= 2**31 else torch.int64)
