"""Granted jobs as runs: what each will be, checked before anything is decided, and what each has spent when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from fedmed.api.run import load, run_experiment
from fedmed.config.build import experiment_from
from fedmed.config.grammar import key_of
from fedmed.data import partition
from fedmed.data.partition.file import FilePartition
from fedmed.engine.base import LaunchingEngine
from fedmed.errors import Fault, UserError
from fedmed.experiment import Experiment
from fedmed.files import runs_folder
from fedmed.options.code import words_of
from fedmed.run.parts import load_world
from fedmed.rundir.directory import RunDirectory
from fedmed.scheduling.jobs import Job, JobsFile
from fedmed.scheduling.ledger import Settlement
from fedmed.scheduling.noise import noise_for

OURS = ("clients", "pooled", "resume", "privacy", "privacy.delta", "privacy.noise_multiplier", "hydra.run.dir")
"""Options of a run that the scheduler sets, or that no job may."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """The run of a job. experiment: with its noise. hospitals: numbers of those that take part, of `among` in all."""

    job: Job
    experiment: Experiment
    hospitals: tuple[int, ...]
    among: int


def job_runs(found: JobsFile) -> dict[str, JobRun]:
    """The run of every job by its name. Raises `UserError` with the faults of all jobs."""
    faults: list[Fault] = []
    made: dict[tuple[str, ...], Experiment] = {}
    runs: dict[str, JobRun] = {}
    for job in found.jobs:
        try:
            runs[job.name] = _job_run(job, found, made)
        except UserError as error:
            at = f"jobs.{job.name}.run"
            faults += [each if each.where.startswith("jobs.") else _at(each, at) for each in error.faults]
    if faults:
        raise UserError(*dict.fromkeys(faults))
    return runs


def _at(fault: Fault, where: str) -> Fault:
    return replace(fault, where=f"{where}: {fault.where}")


def _job_run(job: Job, found: JobsFile, made: dict[tuple[str, ...], Experiment]) -> JobRun:
    if own := [word for word in job.run if key_of(word) in OURS]:
        fix = "Leave it out: it follows from the jobs file."
        raise UserError(*(Fault(key_of(word), "what the scheduler sets", word, fix) for word in own))
    names = found.hospitals
    words = (*job.run, f"clients={len(names)}", "privacy=gaussian", f"privacy.delta={found.delta!r}")
    if words not in made:
        made[words] = experiment_from(words)
    whole = made[words]
    if isinstance(whole.engine, LaunchingEngine):
        fix = "Choose another engine."
        raise UserError(Fault("engine", "one that runs in this process", type(whole.engine).__name__, fix))
    used = {block.hospital for block in found.blocks if block.name in job.demand}
    hospitals = tuple(at for at, name in enumerate(names) if name in used)
    epsilon = min(job.demand.values())  # noise is alike for all, so the least of its demands is what it may spend
    part = replace(whole, clients=len(hospitals))
    noise = noise_for(epsilon, part, len(hospitals), found.composition, f"jobs.{job.name}.demand")
    private = replace(whole.privacy, noise_multiplier=noise)  # type: ignore[call-arg]
    return JobRun(job, replace(whole, privacy=private), hospitals, len(names))


def directory_of(job: Job, ledger: Path) -> Path:
    """Where the run of a job of a ledger is kept, in ./runs/schedule or below $FEDMED_RUNS."""
    word = "".join(letter if letter.isalnum() else "_" for letter in job.name)[:40]
    digest = blake2b(f"{ledger.resolve()}\n{job.name}".encode(), digest_size=4).hexdigest()
    return (runs_folder() / "schedule" / f"{word}_{digest}").resolve()


def carried_out(
    run: JobRun, found: JobsFile, directory: Path, granted: Mapping[str, float], *, quiet: bool
) -> Settlement:
    """Does the run, or goes on with it, and says what it has spent; one that fails has spent the rounds that it did."""
    why = ""
    try:
        experiment = _placed(run, directory)
        if (directory / "run.json").is_file():
            load(directory).resume(experiment, quiet=quiet)
        else:
            run_experiment(experiment, directory, quiet=quiet)
    except Exception as error:
        why = "; ".join(map(str, error.faults)) if isinstance(error, UserError) else words_of(error)
    rounds, epsilon = _spent(run, found, directory)
    status = "failed" if why else "finished"
    spent = dict.fromkeys(granted, epsilon)
    return Settlement(job=run.job.name, epsilons=spent, rounds=rounds, status=status, why=why)


def _placed(run: JobRun, directory: Path) -> Experiment:
    """The experiment among the hospitals that take part; where some do not, by a file of who holds what."""
    if len(run.hospitals) == run.among:
        return run.experiment
    file = directory.with_name(f"{directory.name}.npz")
    if not file.is_file():
        parts = load_world(run.experiment).parts
        partition.save(file, [parts[at] for at in run.hospitals])
    least = run.experiment.partition.min_size
    return replace(run.experiment, clients=len(run.hospitals), partition=FilePartition(path=str(file), min_size=least))


def _spent(run: JobRun, found: JobsFile, directory: Path) -> tuple[int, float]:
    """Rounds that a run has done, and the epsilon that they cost in the accounting of the blocks."""
    rows = RunDirectory.open(directory).rows("rounds") if (directory / "run.json").is_file() else []
    if not rows:
        return 0, 0.0
    rounds = len(rows)
    if found.accounting == "epsilon":
        return rounds, float(rows[-1]["epsilon"])
    composition, part = found.composition, rounds / run.experiment.rounds
    return rounds, composition.epsilon(part * composition.amount(min(run.job.demand.values())))


def outcomes(directories: Mapping[str, Path]) -> Iterator[tuple[str, str, float | None]]:
    """Name, metric and its final test value of every job whose run has finished; the value None where undefined."""
    for name, directory in directories.items():
        if not (directory / "final.json").is_file():
            continue
        final = RunDirectory.open(directory).final() or {}
        metric = str(final.get("best.by", "val.loss")).partition(".")[2]
        value = final.get(f"test.{metric}")
        yield name, f"test.{metric}", value if isinstance(value, int | float) else None
