"""Images on their way into a net: normalised, augmented, and laid out in memory as the net's weights are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fedmed.client.images import augmented
from fedmed.client.patches import cut, windows
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
    channels_last: whether batches lie in memory by pixel. patch: side of what is cut from images to train on, or None.
    """

    normalise: Callable[[Tensor], Tensor]
    augment: Augment | None
    channels_last: bool
    patch: int | None = None

    @property
    def varied(self) -> bool:
        """Whether images look otherwise each time that they are trained on."""
        return self.augment is not None or self.patch is not None

    def inputs(self, part: Examples, views: torch.Generator | None = None) -> Examples:
        """Images as the net takes them (B, C, H, W); with `views` cut and augmented where the run says so."""
        # before it is cut, as an image may be standardised by all of itself
        part = Examples(self.normalise(part.x), part.y, part.seen)
        if views is None:
            return Examples(self.laid_out(part.x), part.y, part.seen)
        part = part if self.patch is None else cut(part, self.patch, views)
        x, y = part.x, part.y
        if self.augment is not None:
            x, y = augmented(self.augment, x, y, views)
        return Examples(self.laid_out(x), y, part.seen)

    def whole(self, net: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """What a net gives for whole images as it takes them: window by window where it is trained on patches."""
        return net(x) if self.patch is None else windows(lambda part: net(self.laid_out(part)), x, self.patch)

    def trial(self, x: Tensor) -> Tensor:
        """The stored images as the net takes them, of patches one corner: for those who ask what a net does at all."""
        x = self.normalise(x)
        for axis in range(2, x.dim()) if self.patch is not None else ():
            x = x.narrow(axis, 0, self.patch or 1)
        return self.laid_out(x)

    def view(self, part: Examples, generator: torch.Generator, strength: Strength | None) -> Tensor:
        """Another view of the images (B, C, H, W): of the strength, or as the run augments."""
        if strength is None:
            return self.inputs(part, generator).x
        return self.laid_out(view(self.normalise(part.x), strength, generator, moves=part.y.dim() < 3))

    def sweep(self, net: Net, images: Examples) -> Iterator[SweepPart]:
        """A pass over the images as `Client.sweep` gives it; the net's mode is put back at the end."""
        training = net.training
        net.eval()
        try:
            for rows in evaluation_slices(images):
                with torch.no_grad():  # not around the yield: it would then hold for the code that takes the parts
                    features = self.whole(net.features, self.laid_out(self.normalise(images.x[rows])))
                    part = SweepPart(rows, features, net.head(features))
                yield part
        finally:
            net.train(training)

    def laid_out(self, x: Tensor) -> Tensor:
        """A batch (B, C, H, W) in memory as the net's weights are."""
        return x.contiguous(memory_format=by_pixel(x.dim() - 2)) if self.channels_last else x
