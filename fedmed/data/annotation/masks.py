"""Masks that lack a part of what is there, the problem of FedIA.

Xiang et al.: FedIA. MICCAI 2024, arXiv 2407.02280.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from fedmed.data.annotation.contract import Annotation
from fedmed.data.examples import Examples, Indices
from fedmed.data.given_labels import GivenLabels, per_client, share_of
from fedmed.data.incomplete_masks import IncompleteMask, chosen, drop_objects, erode, move, overlook
from fedmed.errors import refuse
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class IncompleteMasksAnnotation(Annotation):
    """Every client's masks lack some of the truth, to a degree of its own (FedIA's incomplete annotations).

    completeness: share of the truth that each client annotates, one value for all or one per client (above 0 to 1,
       1: complete; null: evenly from 0.4 to 1).
    permute: whether the seed decides which client gets which value, so that no client always is the best.
    problem: drop_objects (whole connected objects), drop_small (the smallest of an image), drop_faint (those of least
       contrast to the background around them), drop_classes (a client leaves out whole classes), erode (objects shrink
       to that share of their area), or shift (boundaries move until that share stays covered; adds false ones).
    draw: exact (that share, rounded, at least one per image) or bernoulli (each kept with that probability); for
       drop_objects and drop_classes.
    connectivity: neighbours that make pixels one object, 4 or 8 (in volumes 4 is the 6 with a common face, 8 all 26).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"segmentation"})

    completeness: tuple[float, ...] | None = None
    permute: bool = True
    problem: Literal["drop_objects", "drop_small", "drop_faint", "drop_classes", "erode", "shift"] = "drop_objects"
    draw: Literal["exact", "bernoulli"] = "exact"
    connectivity: Literal[4, 8] = 4

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        if self.problem == "drop_classes" and task.classes < 3:
            raise refuse("annotation.problem", "at least 2 foreground classes to drop one", task.classes - 1)
        usual = tuple(np.linspace(0.4, 1.0, len(held)).tolist())
        shares = per_client("annotation.completeness", self.completeness or usual, len(held))
        if 0 in shares:
            raise refuse("annotation.completeness", "values above 0", 0)
        if self.permute:
            shares = numpy_generator(seed, "annotation").permutation(shares).tolist()
        return [
            self._client(client, own, share, task, (seed, k))
            for k, (client, own, share) in enumerate(zip(held, rows, shares, strict=True))
        ]

    def _client(self, client: Examples, rows: Indices, share: float, task: Task, key: tuple[int, int]) -> GivenLabels:
        if share == 1:
            return GivenLabels(client.y, client.seen, 1.0)
        if self.problem == "drop_classes":
            return self._drop_classes(client, share, task.classes, key)
        drawn = list(self._draw(client, rows, share, key))
        y = torch.from_numpy(np.stack([one.mask for one in drawn])) if drawn else client.y
        y = y if client.seen is None else y * client.seen
        return GivenLabels(y, client.seen, share_of(sum(one.given for one in drawn), sum(one.true for one in drawn)))

    def _draw(self, held: Examples, rows: Indices, share: float, key: tuple[int, int]) -> Iterator[IncompleteMask]:
        seed, client = key
        for image, mask, row in zip(held.x.numpy(), held.y.numpy(), rows.tolist(), strict=True):
            rng = numpy_generator(seed, "annotation", client, row)
            if self.problem in ("drop_small", "drop_faint"):
                yield overlook(mask, share, self.connectivity, image if self.problem == "drop_faint" else None)
            elif self.problem == "erode":
                yield erode(mask, share, self.connectivity, rng)
            elif self.problem == "shift":
                yield move(mask, share, rng)
            else:
                yield drop_objects(mask, share, self.draw == "exact", self.connectivity, rng)

    def _drop_classes(self, client: Examples, share: float, classes: int, key: tuple[int, int]) -> GivenLabels:
        kept = chosen(classes - 1, share, self.draw == "exact", numpy_generator(key[0], "annotation", key[1]))
        table = torch.from_numpy(np.append(True, kept))
        present = [int((client.y == value).flatten(1).any(1).sum()) for value in range(1, classes)]
        return GivenLabels(client.y * table[client.y.long()], client.seen, share_of(int(kept @ present), sum(present)))
