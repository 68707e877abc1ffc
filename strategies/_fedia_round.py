"""What a client does in a round of FedIA (Xiang et al., MICCAI 2024, arXiv 2407.02280) beside training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fedmed.errors import refuse
from fedmed.method import Client
from fedmed.strategies._completeness import class_probabilities
from fedmed.strategies._omissions import OmissionSearch


@dataclass(slots=True)
class ClientRound:
    """What a client's round collects.

    losses: Dice loss of each batch, (). counts: lesions in the masks and predicted, by batch (1,), where the round
    estimates by batches. search: for omissions; None in rounds without, and once it has ended.
    """

    losses: list[Tensor] = field(default_factory=list)
    counts: list[tuple[Tensor, Tensor]] | None = None
    search: OmissionSearch | None = None

    def settle(self, client: Client) -> None:
        """Ends the round's search, if there is one: the client remembers, for good, which pixels were found."""
        if self.search is not None:
            client.state["pixels"] = self.search.pixels(client.given.y.numel())
            self.search = None


def predictions(client: Client) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Rows, class probabilities by the received model, given masks and what is annotated, part by part."""
    given = client.given
    seen = None if given.seen is None else given.seen.expand_as(given.y)
    for rows, _, logits in client.sweep(client.received):
        if not logits.isfinite().all():
            where = f"client {client.id}, round {client.round}, stage prepare"
            raise refuse(where, "finite probabilities", "nan or infinity", "Lower optimizer.lr, or set clip_norm.")
        index = torch.arange(len(given))[rows]
        yield index, class_probabilities(logits), given.y[rows], None if seen is None else seen[rows]


def relabel(client: Client) -> None:
    """Puts the corrected masks in force, where any pixel was corrected."""
    pixels, given, classes = client.state.get("pixels"), client.given, client.task.classes - 1
    if pixels is not None and len(pixels):
        found = pixels.long().to(given.y.device)
        y = given.y.flatten().index_put((found // classes,), (found % classes + 1).to(given.y.dtype))
        client.relabel(y.view_as(given.y), given.seen)
