"""Experiments side by side: what `fedmed compare` does, from Python."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from html import escape
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Literal

from fedmed.api.report import write_report
from fedmed.api.run import Run, data_frame, html_table
from fedmed.campaign.comparing import carried_out
from fedmed.campaign.grid import SEEDS, PlannedRun, jobs
from fedmed.campaign.holdout import check_holdout, sites_of
from fedmed.campaign.judge import check_metric
from fedmed.campaign.key import key
from fedmed.comparison.read import read
from fedmed.comparison.record import comparison_folder
from fedmed.comparison.rows import Summary
from fedmed.comparison.summary import summarise
from fedmed.compression import NoneCompression
from fedmed.config.build import config_of
from fedmed.config.values import Config
from fedmed.errors import Fault, UserError, near
from fedmed.experiment import Experiment
from fedmed.files import runs_folder
from fedmed.options.catalogue import discover
from fedmed.options.class_sources import digest_of
from fedmed.options.groups import GROUPS, PARTS, SETTINGS
from fedmed.server.optimizers import AverageServerOptimizer
from fedmed.server.privacy import NonePrivacy
from fedmed.strategies.fedavg import FedAvg
from fedmed.terminal.comparison import comparison_text

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]


class RunSet(Sequence[Run]):
    """Runs that are compared: each by its number, and what their differences are.

    folder: where the comparison is kept. failed: why, of those experiments that failed, by their label. metric: the
    headline unless another is asked for (None: the runs' own, or the task's).
    """

    def __init__(
        self,
        directories: Sequence[Path],
        folder: Path,
        failed: dict[str, str] | None = None,
        *,
        metric: str | None = None,
    ) -> None:
        self._directories, self.folder, self.failed = list(directories), folder, failed or {}
        self.metric = metric

    def __len__(self) -> int:
        return len(self._directories)

    def __getitem__(self, at: Any) -> Any:
        return [*map(Run, self._directories[at])] if isinstance(at, slice) else Run(self._directories[at])

    def __iter__(self) -> Iterator[Run]:
        return map(Run, self._directories)

    def summary(self, *, metric: str | None = None, reference: str | None = None) -> Summary:
        """Means, paired differences with intervals and tests, ranks. metric: by which; reference: the arm to beat."""
        return summarise(read(self._directories, metric=metric or self.metric, reference=reference))

    def table(self, *, metric: str | None = None, reference: str | None = None) -> str:
        """The summary as text, as `fedmed compare` prints it."""
        return comparison_text(self.summary(metric=metric, reference=reference), get_terminal_size().columns)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per run: its directory, methods, seed, and final metrics."""
        return [{"directory": str(run.directory), **_strategy_and_seed(run.config), **run.final} for run in self]

    def frame(self) -> pandas.DataFrame:
        """The rows as a table of pandas, which has to be installed."""
        return data_frame(self.rows)

    def report(self, folder: str | Path | None = None) -> Path:
        """Writes the page of the comparison, its tables and figures, and returns the page's path."""
        place = Path(folder) if folder is not None else self.folder
        return write_report(self._directories, place, metric=self.metric).page

    def __repr__(self) -> str:
        return f"RunSet({len(self)} runs, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        rows = [[*map(str, _strategy_and_seed(run.config).values()), run.status] for run in self]
        return f"<p><b>{escape(repr(self))}</b></p>{html_table(['strategy', 'seed', 'status'], rows)}"


def compare(
    experiment: Experiment,
    *,
    references: bool = False,
    workers: int | None = None,
    folder: str | Path | None = None,
    quiet: bool = False,
    metric: str | None = None,
    holdout: Literal["each"] | None = None,
    **alternatives: Iterable[Any],
) -> RunSet:
    """Runs every combination of alternatives, each once, and returns the runs.

    For one seed all of them have the same images, division, first weights and order of clients. A run that was done
    before, by whichever comparison, is not done again; after Ctrl-C the same call goes on where it stopped.

    experiment: what all have in common. alternatives: values of its fields, such as `strategy=[FedAvg(), FedProx()]`;
    seeds are 0 to 4 unless `seed=` says else. references: whether local-only and pooled runs stand beside them.
    workers: runs at a time (None: one per core; on a GPU one). folder: of the comparison (None: one in ./runs or
    $FEDMED_RUNS). metric: the headline, such as `auc` or `client.worst.auc` (None: the runs' own, or the
    task's). holdout: `each` makes of every run one per site of its dataset, which trains on the others and is tested
    there. Raises `UserError` with the faults of all experiments before the first one runs.
    """
    experiments = list(
        _combined(experiment, {**alternatives, "seed": alternatives.get("seed", map(int, SEEDS.split(",")))})
    )
    if holdout is not None:
        check_holdout(holdout)
        experiments = list(_each_held_out(experiments))
    planned = _planned(experiments, runs_folder() / "compare", with_references=references)
    check_metric("metric", metric, [run.config for run in planned])
    place = Path(folder) if folder is not None else comparison_folder("python", (run.key for run in planned))
    with carried_out(planned, place, workers=workers, quiet=quiet) as result:
        done = [run.directory for run in result.done]
    return RunSet(done, place, {run.label: error for run, error in result.failed.items()}, metric=metric)


def _combined(experiment: Experiment, alternatives: dict[str, Iterable[Any]]) -> Iterator[Experiment]:
    known = {*SETTINGS, *PARTS, *GROUPS}
    if unknown := sorted(alternatives.keys() - known):
        raise UserError(*(Fault(name, "a field of fedmed.Experiment", name, near(name, known)) for name in unknown))
    listed = {name: list(values) for name, values in alternatives.items()}
    faults: list[Fault] = []
    for values in itertools.product(*listed.values()):
        try:
            yield replace(experiment, **dict(zip(listed, values, strict=True)))
        except UserError as error:
            faults += error.faults
    if faults:
        raise UserError(*dict.fromkeys(faults))


def _each_held_out(experiments: Sequence[Experiment]) -> Iterator[Experiment]:
    """Every experiment once for each site of its dataset; datasets that are one object are read once."""
    sites: dict[int, list[str]] = {}
    for each in experiments:
        dataset = each.dataset
        known = sites[id(dataset)] = sites.get(id(dataset)) or sites_of(dataset)
        yield from (replace(each, dataset=replace(dataset, held_out_site=site)) for site in known)


def _planned(experiments: Sequence[Experiment], root: Path, *, with_references: bool) -> list[PlannedRun]:
    beside = [other for each in experiments for other in _references(each)] if with_references else []
    made = [(config_of(each), each) for each in (*experiments, *beside)]
    found = {_key(config, each): (config, each) for config, each in made}
    planned = jobs({name: config for name, (config, _) in found.items()}, root)
    return [replace(run, experiment=found[run.key][1]) for run in planned]


def _references(experiment: Experiment) -> Iterator[Experiment]:
    """The same with local training by each client alone, and by one that holds all images."""
    if not experiment.pooled and "*" not in experiment.methods.local:
        plain = replace(
            experiment, server=AverageServerOptimizer(), compression=NoneCompression(), privacy=NonePrivacy()
        )
        yield replace(plain, strategy=FedAvg(local=("*",)))
        yield replace(plain, strategy=FedAvg(), pooled=True)


def _key(config: Config, experiment: Experiment) -> str:
    """See `fedmed.campaign.key`; classes of a script or a notebook are known by their source."""
    own = digest_of(type(method) for method in experiment.methods.members.values())
    return blake2b(f"{key(config, discover())}{own}".encode(), digest_size=16).hexdigest()


def _strategy_and_seed(config: Config) -> dict[str, Any]:
    return {"strategy": config.text("strategy"), "seed": config["seed"]}
