"""Findings that a client never annotates, the problem of FedMLP.

Sun et al.: FedMLP. MICCAI 2024, arXiv 2406.18995.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from fedmed.data.annotation.contract import Annotation
from fedmed.data.examples import Examples, Indices
from fedmed.data.given_labels import GivenLabels, share_of
from fedmed.errors import refuse
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class MissingLabelsAnnotation(Annotation):
    """Every client annotates only some of the findings, for all of its images (FedMLP's task heterogeneity).

    scheme: missing (every finding keeps an annotator), one (client k annotates finding k modulo their number), or
       random (findings drawn per client, so that some may be annotated nowhere).
    missing: findings that each client does not annotate, for missing and random (0: none; null: half of them).
    hidden: unseen (known to be missing, the loss skips them) or negative (wrongly counted as absent).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multilabel"})

    scheme: Literal["missing", "one", "random"] = "missing"
    missing: Annotated[int, Ge(0)] | None = None
    hidden: Literal["unseen", "negative"] = "unseen"

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        annotated = self._annotated(len(held), task.classes, numpy_generator(seed, "annotation"))
        return [self._hide(client, torch.from_numpy(own)) for client, own in zip(held, annotated, strict=True)]

    def _hide(self, client: Examples, own: Tensor) -> GivenLabels:
        known = torch.ones_like(client.y, dtype=torch.bool) if client.seen is None else client.seen.expand_as(client.y)
        seen = known & own  # (N, L)
        completeness = share_of(int(seen.sum()), int(known.sum()))
        return GivenLabels(client.y * seen, seen if self.hidden == "unseen" else client.seen, completeness)

    def _annotated(self, clients: int, findings: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which client annotates which finding, (clients, findings)."""
        missing = findings // 2 if self.missing is None else self.missing
        own = 1 if self.scheme == "one" else findings - missing
        if own < 1:
            raise refuse("annotation.missing", f"at most {findings - 1} of {findings} findings", missing)
        if self.scheme != "random" and clients * own < findings:
            expected = f"{clients} clients that annotate {own} each to cover {findings} findings"
            raise refuse(
                "annotation", expected, f"{clients * own} at most", "Use more clients, or hide fewer findings."
            )
        annotated = np.zeros((clients, findings), bool)
        if self.scheme == "one":
            annotated[np.arange(clients), np.arange(clients) % findings] = True
            return annotated
        if self.scheme == "missing":  # deal every finding once, in turn, before the rest is drawn
            turns = np.resize(rng.permutation(clients), findings)
            annotated[turns, rng.permutation(findings)] = True
        order = np.argsort(rng.random((clients, findings)) - annotated, axis=1)  # dealt findings first
        np.put_along_axis(annotated, order[:, :own], True, axis=1)
        return annotated
