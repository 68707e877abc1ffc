"""The contract of an annotation problem: what each client's annotator gave, of labels that are known in truth.

The true labels and the realised completeness are for audit and never reach a method.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fedmed.data.examples import Dataset, Examples, Indices, Table
from fedmed.data.given_labels import GivenLabels
from fedmed.errors import refuse
from fedmed.options.base import Options
from fedmed.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Annotation(Options, ABC):
    """How the clients' images are annotated.

    seed: seed of what is hidden or wrong (null: the run's seed).
    """

    tasks: ClassVar[frozenset[str]]

    seed: int | None = None

    def read(self, dataset: Dataset, table: Table) -> Annotation:
        """The annotation with what it needs of the data; itself unless overridden.

        table: of the dataset, once prepared. Raises UserError where the data has not what it needs.
        """
        return self

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

    def give(self, held: Sequence[Examples], rows: Sequence[Indices], task: Task, seed: int) -> list[GivenLabels]:
        """What `annotate` returns, for one of `tasks`, with the seed that counts: the true labels unless overridden."""
        return [GivenLabels(client.y, client.seen, 1.0) for client in held]


@dataclass(frozen=True, kw_only=True)
class CompleteAnnotation(Annotation):
    """Every label as the dataset has it."""

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel", "segmentation"})
