"""Images on their way into a net: normalised, augmented, and laid out in memory as the net's weights are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmed.client.images import augmented
from fedmed.data.augment import Augment
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.views import Strength, view
from fedmed.method import SweepPart
from fedmed.models.net import Net, by_pixel


@dataclass(frozen=True, slots=True)
class Passes:
    """How images go into a trainer's net.

    normalise: stored pixels (B, C, H, W) -> float batch (B, C, H, W). augment: the run's, or None.
    channels_last: whether batches lie in memory by pixel.
    """

    normalise: Callable[[Tensor], Tensor]
    augment: Augment | None
    channels_last: bool

    def inputs(self, part: Examples, views: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Images as the net takes them (B, C, H, W), with `views` augmented where the run says so, and their labels."""
        x, y = self.normalise(part.x), part.y
        if self.augment is not None and views is not None:
            x, y = augmented(self.augment, x, y, views)
        return self.laid_out(x), y

    def view(self, part: Examples, generator: torch.Generator, strength: Strength | None) -> Tensor:
        """Another view of the images (B, C, H, W): of the strength, or as the run augments."""
        if strength is None:
            return self.inputs(part, generator)[0]
        return self.laid_out(view(self.normalise(part.x), strength, generator, moves=part.y.dim() < 3))

    def sweep(self, net: Net, images: Examples) -> Iterator[SweepPart]:
        """A pass over the images as `Client.sweep` gives it; the net's mode is put back at the end."""
        training = net.training
        net.eval()
        try:
            for rows in evaluation_slices(images):
                with torch.no_grad():  # not around the yield: it would then hold for the code that takes the parts
                    features = net.features(self.laid_out(self.normalise(images.x[rows])))
                    part = SweepPart(rows, features, net.head(features))
                yield part
        finally:
            net.train(training)

    def laid_out(self, x: Tensor) -> Tensor:
        """A batch (B, C, H, W) in memory as the net's weights are."""
        return x.contiguous(memory_format=by_pixel(x.dim() - 2)) if self.channels_last else x
