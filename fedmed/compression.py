"""What a client sends of its weights: all of them, or fewer bytes that stand for their change.

Only weights that training steps are compressed; running statistics and whole numbers go as they are (a statistic that
is half sent can turn negative), and so does what a method reports besides. All of it is counted as it crosses.

Top-k: Lin et al.: Deep Gradient Compression. ICLR 2018, arXiv 1712.01887; with the memory of Stich et al.: Sparsified
SGD with Memory. NeurIPS 2018, arXiv 1809.07599, and Karimireddy et al.: Error Feedback Fixes SignSGD. ICML 2019, arXiv
1901.09847. Quantisation: Alistarh et al.: QSGD. NeurIPS 2017, arXiv 1610.02132, with the largest entry as the scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from annotated_types import Interval
from torch import Tensor

from fedmed.options.base import Options

Tensors = Mapping[str, Tensor]

MARK = ":"
"""Between the name of a weight and that of a part of its encoded change; no state dict has it in a name."""


class CompressedUpdate(NamedTuple):
    """What a client sends, by the name of the weight or of the part, and what it keeps of what it did not send."""

    tensors: dict[str, Tensor]
    residual: dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Compression(Options, ABC):
    """How the change of a weight crosses the wire upwards."""

    exact: ClassVar[bool] = False
    feedback: ClassVar[bool] = False

    @abstractmethod
    def encode(self, change: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Named tensors that stand for a change of any shape."""

    @abstractmethod
    def decode(self, parts: Tensors, like: Tensor) -> Tensor:
        """The change that the parts stand for, shaped as `like`."""

    def compress(
        self, weights: Tensors, anchor: Tensors, names: Collection[str], residual: Tensors, generator: torch.Generator
    ) -> CompressedUpdate:
        """What goes up in place of the weights, those in `names` as encoded change since `anchor`.

        residual: what was not sent in earlier rounds, by weight; empty where nothing is kept.
        """
        sent, kept = {}, {}
        for name, weight in weights.items():
            if name not in names:
                sent[name] = weight
                continue
            change = weight.detach() - anchor[name]
            if name in residual:
                change += residual[name]
            parts = self.encode(change, generator)
            sent |= {f"{name}{MARK}{part}": tensor for part, tensor in parts.items()}
            if self.feedback:
                kept[name] = change - self.decode(parts, change)
        return CompressedUpdate(sent, kept)

    def restore(self, sent: Tensors, anchor: Tensors) -> Tensors:
        """The weights that a client's message stands for."""
        if self.exact:
            return sent
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in sent.items():
            weight, _, part = name.partition(MARK)
            parts.setdefault(weight, {})[part] = tensor
        return {n: p[""] if "" in p else anchor[n] + self.decode(p, anchor[n]) for n, p in parts.items()}


@dataclass(frozen=True, kw_only=True)
class NoneCompression(Compression):
    """Sends the weights as they are."""

    exact: ClassVar[bool] = True

    def encode(self, change: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return {"": change}

    def decode(self, parts: Tensors, like: Tensor) -> Tensor:
        return parts[""]


@dataclass(frozen=True, kw_only=True)
class TopkCompression(Compression):
    """The largest changes of every weight tensor; what was not sent is added to the next round's change.

    fraction: part of a tensor's entries that is sent (above 0 to 1; at least one entry; 8 bytes each, so that from
       0.5 on nothing is saved).
    """

    feedback: ClassVar[bool] = True

    fraction: Annotated[float, Interval(gt=0, le=1)] = 0.01

    def encode(self, change: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        flat = change.reshape(-1)
        indices = flat.abs().topk(max(1, round(self.fraction * len(flat)))).indices
        return {"indices": indices.to(torch.int32), "values": flat[indices]}

    def decode(self, parts: Tensors, like: Tensor) -> Tensor:
        flat = like.new_zeros(like.numel())
        flat[parts["indices"].long()] = parts["values"]
        return flat.view(like.shape)


@dataclass(frozen=True, kw_only=True)
class QuantiseCompression(Compression):
    """Changes as 8-bit whole numbers times a scale per tensor, rounded up or down at random so that the mean stays."""

    def encode(self, change: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        scale = change.abs().max() / 127
        # floor(x + u), u ~ U[0, 1): E = x
        draws = torch.rand(change.shape, generator=generator).to(change.device)
        levels = (change / scale.clamp_min(torch.finfo(change.dtype).tiny) + draws).floor_().clamp_(-127, 127)
        return {"levels": levels.to(torch.int8), "scale": scale.reshape(1)}

    def decode(self, parts: Tensors, like: Tensor) -> Tensor:
        return parts["levels"].to(like.dtype) * parts["scale"]
