"""Reads a jobs file, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any

import yaml

from fedmed.errors import Fault, UserError, near, refuse
from fedmed.rundir.directory import RunDirectory
from fedmed.scheduling.jobs import Block, Job, JobsFile, in_order

FILE = ("delta", "accounting", "run", "blocks", "jobs")
BLOCK = ("capacity", "hospital", "since")
JOB = ("name", "analyst", "demand", "weight", "loss", "arrives", "patience", "run")
"""Keys that each part of a jobs file may have."""


def read_jobs(path: Path) -> JobsFile:
    """The jobs file at `path`. Raises `UserError` with every fault in it, or where it cannot be read as YAML."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise refuse(str(path), "a file of YAML", " ".join(str(error).split()), "Mend it.") from error
    except OSError as error:
        raise refuse(str(path), "a jobs file", error.strerror or error, "Check the path.") from error
    if not isinstance(content, Mapping):
        raise refuse(str(path), "blocks and jobs by name", type(content).__name__, "See fedmed schedule --help.")
    return jobs_from(content, str(path))


def jobs_from(content: Mapping[str, Any], where: str = "jobs") -> JobsFile:
    """The jobs file that a mapping of the same form spells; `where` names it in errors. Raises `UserError`."""
    reader = _Reader(where)
    found = reader.file(content)
    if reader.faults:
        raise UserError(*dict.fromkeys(reader.faults))
    return found


class _Reader:
    """Reads a file part by part and gathers the faults."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.faults: list[Fault] = []

    def file(self, content: Mapping[str, Any]) -> JobsFile:
        self._keys(content, FILE, "")
        delta = self._number(content.get("delta", 1e-5), "delta", above=0.0, below=1.0)
        accounting = content.get("accounting", "epsilon")
        if accounting not in ("epsilon", "renyi"):
            self._fault("accounting", "epsilon or renyi", accounting, "")
            accounting = "epsilon"
        blocks = self._blocks(content.get("blocks"))
        shared = self._words(content.get("run", ()), "run")
        given = content.get("jobs")
        if not isinstance(given, Sequence) or isinstance(given, str):
            self._fault("jobs", "a list of jobs", given, "")
            given = ()
        jobs = [job for at, each in enumerate(given, 1) if (job := self._job(each, at, blocks, shared))]
        for name, times in Counter(job.name for job in jobs).items():
            if times > 1:
                self._fault("jobs", "jobs of different names", f"{times} named {name}", "Rename all but one.")
        found = JobsFile(blocks=blocks, jobs=in_order(jobs), delta=delta or 1e-5, accounting=accounting)
        self.faults += demand_faults(found, self._where)
        return found

    def _blocks(self, given: Any) -> tuple[Block, ...]:
        if not isinstance(given, Mapping) or not given:
            fix = "Write, for instance, blocks: {north: 3.0, south: 2.0}."
            self._fault("blocks", "blocks by name, at least one", given, fix)
            return ()
        return tuple(self._block(str(name), about) for name, about in given.items())

    def _block(self, name: str, given: Any) -> Block:
        at = f"blocks.{name}"
        about = given if isinstance(given, Mapping) else {"capacity": given}
        self._keys(about, BLOCK, at)
        capacity = self._number(about.get("capacity"), f"{at}.capacity", above=0.0)
        since = self._number(about.get("since", 0.0), f"{at}.since", least=0.0)
        return Block(name, capacity or inf, str(about.get("hospital", name)), since or 0.0)

    def _job(self, given: Any, number: int, blocks: Sequence[Block], shared: tuple[str, ...]) -> Job | None:
        if not isinstance(given, Mapping) or not {"name", "analyst", "demand"} <= given.keys():
            self._fault(f"jobs, number {number}", "a job with name, analyst and demand", given, "")
            return None
        at = f"jobs.{given['name']}"
        self._keys(given, JOB, at)
        weight = self._weight(given, at)
        patience = given.get("patience")
        return Job(
            name=str(given["name"]),
            analyst=str(given["analyst"]),
            demand=self._demand(given["demand"], f"{at}.demand", blocks),
            weight=weight,
            arrives=self._number(given.get("arrives", 0.0), f"{at}.arrives", least=0.0) or 0.0,
            patience=inf if patience is None else self._number(patience, f"{at}.patience", least=0.0) or 0.0,
            run=(*shared, *self._words(given.get("run", ()), f"{at}.run")),
        )

    def _weight(self, given: Mapping[str, Any], at: str) -> float:
        if "loss" in given and "weight" in given:
            self._fault(f"{at}.loss", "weight or loss, not both", "both", "Leave one of them out.")
        if "loss" not in given:
            return self._number(given.get("weight", 1.0), f"{at}.weight", above=0.0) or 1.0
        try:
            return weight_of(given["loss"], f"{at}.loss")
        except UserError as error:
            self.faults += error.faults
            return 1.0

    def _demand(self, given: Any, at: str, blocks: Sequence[Block]) -> dict[str, float]:
        if not isinstance(given, Mapping):
            epsilon = self._number(given, at, least=0.0)
            return {block.name: epsilon for block in blocks} if epsilon else {}
        found = {str(name): self._number(value, f"{at}.{name}", least=0.0) for name, value in given.items()}
        known = [block.name for block in blocks]
        for name in (name for name in found if known and name not in known):
            self._fault(at, "blocks of the file", name, near(name, known))
        return {name: value for name, value in found.items() if value}

    def _words(self, given: Any, at: str) -> tuple[str, ...]:
        if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(w, str) for w in given):
            self._fault(at, "a list of options of fedmed run", given, "Write, for instance, [rounds=5, epochs=2].")
            return ()
        return tuple(given)

    def _number(
        self, given: Any, at: str, *, above: float = -inf, least: float = -inf, below: float = inf
    ) -> float | None:
        """A number within bounds, also of a text such as 1e-5, which YAML takes for one; None where it is none."""
        try:
            value = float(given) if isinstance(given, int | float | str) and not isinstance(given, bool) else None
        except (ValueError, OverflowError):
            value = None
        if value is not None and isfinite(value) and above < value < below and value >= least:
            return value
        bounds = [
            f" {sign} {bound:g}" for sign, bound in ((">", above), (">=", least), ("<", below)) if isfinite(bound)
        ]
        self._fault(at, f"a number{' and'.join(bounds)}", given, "")
        return None

    def _keys(self, given: Mapping[Any, Any], known: Sequence[str], at: str) -> None:
        for name in given:
            if name not in known:
                self._fault(at or "jobs file", f"{', '.join(known)}", name, near(str(name), known))

    def _fault(self, at: str, expected: str, got: object, fix: str) -> None:
        self.faults.append(Fault(f"{self._where}: {at}", expected, "nothing" if got is None else str(got)[:200], fix))


def demand_faults(found: JobsFile, where: str) -> Iterator[Fault]:
    """Demands that could never be met, and jobs that ask nothing of anybody."""
    capacity, composition = {block.name: block.capacity for block in found.blocks}, found.composition
    for job in found.jobs:
        at = f"{where}: jobs.{job.name}.demand"
        if not job.demand and found.blocks:
            fix = "Name the blocks whose images it uses, with an epsilon above 0."
            yield Fault(at, "an epsilon above 0 of some block", "none", fix)
        for block, epsilon in job.demand.items():
            if block in capacity and epsilon > capacity[block]:
                fix = "It could never be granted: ask for less."
                yield Fault(f"{at}.{block}", f"at most the block's capacity, {capacity[block]:g}", f"{epsilon:g}", fix)
            if epsilon and composition.amount(epsilon) <= 0:
                fix = "Ask for more, raise delta, or set accounting: epsilon."
                yield Fault(
                    f"{at}.{block}", f"more than {composition.smallest:.3g} with accounting: renyi", f"{epsilon:g}", fix
                )


def weight_of(loss: Any, where: str) -> float:
    """A loss as a weight: a number above 0, or `from=<run directory>` for the validation loss that this run ended with.

    where: names it in errors. Raises `UserError`.
    """
    if isinstance(loss, int | float) and not isinstance(loss, bool) and isfinite(loss) and loss > 0:
        return float(loss)
    text = str(loss)
    if not text.startswith("from="):
        raise refuse(where, "a number > 0, or from=<run directory>", text, "")
    rows = RunDirectory.open(Path(text.removeprefix("from=")).expanduser()).rows("rounds")
    found = [row["val.loss"] for row in rows if isinstance(row.get("val.loss"), int | float)]
    if not found or not found[-1] > 0:
        fix = "Choose a run with scopes=[client], or write the loss itself."
        raise refuse(where, "a run that has a validation loss above 0", text, fix)
    return float(found[-1])
