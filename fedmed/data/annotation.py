"""Annotation problems: what each client's annotator gave, of labels that are known in truth.

Missing labels are the problem of FedMLP (Sun et al., MICCAI 2024, arXiv 2406.18995), incomplete masks that of FedIA
(Xiang et al., MICCAI 2024, arXiv 2407.02280).
The true labels and the realised completeness are for audit and never reach a method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from fedmed.data.examples import Examples, Indices
from fedmed.data.given_labels import GivenLabels, guessed, per_client, share_of, some_of
from fedmed.data.incomplete_masks import IncompleteMask, chosen, drop_objects, erode, move, overlook
from fedmed.errors import refuse
from fedmed.options.base import Options
from fedmed.rng import numpy_generator
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Annotation(Options, ABC):
    """How the clients' images are annotated.

    seed: seed of what is hidden or wrong (null: the run's seed).
    """

    tasks: ClassVar[frozenset[str]]

    seed: int | None = None

    def annotate(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        """The labels that every client gets; its input stays as it is.

        held: the true examples of every client. rows: their rows in the dataset, on which random choices depend, so
        that they do not depend on the order of images. seed: the run's seed. Raises UserError for another task.
        """
        if task.kind not in self.tasks:
            kinds = " or ".join(sorted(self.tasks))
            raise refuse(
                "annotation", f"a {kinds} task for {type(self).__name__}", task.kind, "Use annotation=complete."
            )
        return self.give(held, rows, task, seed if self.seed is None else self.seed)

    def convention(self, y: Tensor, client: int, clients: int, task: Task) -> Tensor:
        """What the client itself calls its images' true labels, on which it is tested too; the same unless overridden.

        Raises UserError where options and data do not fit.
        """
        return y

    def held(self, rows: Indices, client: int, clients: int, seed: int) -> Indices:
        """Which of a client's training rows it has at all; all of them unless overridden. seed: the run's seed."""
        return rows

    def distinction(self, client: int, clients: int) -> str:
        """How the client differs from others by design, in a word or two; empty where it does not."""
        return ""

    @abstractmethod
    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        """What `annotate` returns, for one of `tasks` and with the seed that counts."""


@dataclass(frozen=True, kw_only=True)
class CompleteAnnotation(Annotation):
    """Every label as the dataset has it."""

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel", "segmentation"})

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        return [GivenLabels(client.y, client.seen, 1.0) for client in held]


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
    connectivity: neighbours that make pixels one object, 4 or 8.
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


@dataclass(frozen=True, kw_only=True)
class LabelNoiseAnnotation(Annotation):
    """Some labels are wrong, at a rate of each client's own.

    rate: probability that a label is wrong, one value for all or one per client (0 to 1, 0: none; null: 0.2).
    kind: symmetric (any other class; in multi-label tasks each finding flips) or pairwise (the next class; Han et al.
       2018, arXiv 1804.06872; multi-class only).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    rate: tuple[float, ...] | None = None
    kind: Literal["symmetric", "pairwise"] = "symmetric"

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        if self.kind == "pairwise" and task.kind == "multilabel":
            raise refuse("annotation.kind", "symmetric for a multilabel task", self.kind)
        rates = per_client("annotation.rate", self.rate or (0.2,), len(held))
        last = max((int(own.max(initial=-1)) for own in rows), default=-1)
        shape = (last + 1, *held[0].y.shape[1:])  # one draw per row of the dataset, whoever holds it
        draw = numpy_generator(seed, "annotation", "wrong").random(shape)
        other = numpy_generator(seed, "annotation", "other").random(shape)
        return [
            self._confuse(client, torch.from_numpy(draw[own] < rate), torch.from_numpy(other[own]), task)
            for client, own, rate in zip(held, rows, rates, strict=True)
        ]

    def _confuse(self, client: Examples, wrong: Tensor, other: Tensor, task: Task) -> GivenLabels:
        known = torch.ones_like(wrong) if client.seen is None else client.seen.expand_as(wrong)
        wrong = wrong & known
        if task.kind == "multilabel":
            false = 1 - client.y
        else:
            step = 1 if self.kind == "pairwise" else 1 + (other * (task.classes - 1)).long()
            false = (client.y + step) % task.classes
        y = torch.where(wrong, false, client.y)
        return GivenLabels(y, client.seen, 1.0 - share_of(int((y != client.y).sum()), int(known.sum()), empty=0.0))


@dataclass(frozen=True, kw_only=True)
class RelabelledAnnotation(Annotation):
    """Some clients have another label convention: what others call class c, they call permutation[c], in tests too.

    clients: those with the other convention (null: the second half).
    permutation: their name of every class (null: the next class).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass"})

    clients: tuple[int, ...] | None = None
    permutation: tuple[int, ...] | None = None

    def convention(self, y: Tensor, client: int, clients: int, task: Task) -> Tensor:
        usual = (*range(1, task.classes), 0)
        permutation = usual if self.permutation is None else self.permutation
        if sorted(permutation) != [*range(task.classes)]:
            expected = f"the classes 0 to {task.classes - 1}, each once"
            raise refuse("annotation.permutation", expected, list(permutation))
        return torch.tensor(permutation, dtype=y.dtype)[y.long()] if client in self._those(clients) else y

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        return [GivenLabels(client.y, client.seen, 1.0) for client in held]

    def distinction(self, client: int, clients: int) -> str:
        return "relabelled" if client in self._those(clients) else ""

    def _those(self, clients: int) -> Sequence[int]:
        return some_of(clients, range(clients // 2, clients) if self.clients is None else self.clients)


@dataclass(frozen=True, kw_only=True)
class FreeRiderAnnotation(Annotation):
    """Some clients have few images and labels drawn at random: they can only take. Their test labels are true.

    clients: who they are (null: the last).
    share: share of its training images that such a client has, at least one (above 0 to 1).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    clients: tuple[int, ...] | None = None
    share: Annotated[float, Interval(gt=0, le=1)] = 0.05

    def held(self, rows: Indices, client: int, clients: int, seed: int) -> Indices:
        if not self.distinction(client, clients) or not len(rows):
            return rows
        draw = numpy_generator(seed if self.seed is None else self.seed, "annotation", "held", client)
        return np.sort(draw.permutation(np.sort(rows))[: max(1, round(self.share * len(rows)))])

    def distinction(self, client: int, clients: int) -> str:
        those = some_of(clients, (clients - 1,) if self.clients is None else self.clients)
        return "free rider" if client in those else ""

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        return [
            guessed(own, rows[k], task, seed) if self.distinction(k, len(held)) else GivenLabels(own.y, own.seen, 1.0)
            for k, own in enumerate(held)
        ]
