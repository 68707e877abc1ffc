"""A run as an object: made from an experiment, or loaded from its directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from fedmed.api.report import write_report
from fedmed.config.build import build, config_of
from fedmed.config.stored import code_of, read_stored
from fedmed.config.values import Config
from fedmed.errors import refuse
from fedmed.experiment import Experiment
from fedmed.files import runs_folder
from fedmed.formatting import number
from fedmed.inference.predict import Images, Prediction, export, predict_images
from fedmed.run.lifecycle import continued, run
from fedmed.rundir.directory import RunDirectory
from fedmed.terminal.final import final_text
from fedmed.terminal.progress import make_run_display

if TYPE_CHECKING:
    import pandas  # pyright: ignore[reportMissingImports]

Rows = list[dict[str, Any]]


def run_experiment(experiment: Experiment, directory: str | Path | None = None, *, quiet: bool = False) -> Run:
    """Runs an experiment, showing how far it is, and returns the run; see `fedmed.Experiment.run`."""
    place = Path(directory) if directory is not None else new_directory(config_of(experiment))
    run(experiment, place, show=make_run_display(quiet=quiet))
    return Run(place)


def load(directory: str | Path) -> Run:
    """The run in a directory, finished or not. Raises `UserError` where there is none."""
    return Run(directory)


def new_directory(config: Config) -> Path:
    """A new name for a run's directory, in ./runs or $FEDMED_RUNS, as the command line gives it."""
    now = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    name = f"{now}_{'+'.join(config.methods)}_{config.text('dataset')}_{uuid4().hex[:6]}"
    return runs_folder() / name


class Run:
    """A run on disk: its experiment, its rows, its result, its model and its page.

    directory: where it is, a folder with run.json. Raises `UserError` where there is none.
    """

    def __init__(self, directory: str | Path) -> None:
        self._kept = RunDirectory.open(Path(directory))

    @property
    def directory(self) -> Path:
        """The folder of the run."""
        return self._kept.path

    @property
    def status(self) -> str:
        """`running`, `stopped` or `finished`."""
        return self._kept.status

    @cached_property
    def config(self) -> Config:
        """The experiment as its file spells it."""
        return read_stored(self.directory)

    @property
    def experiment(self) -> Experiment:
        """The experiment. Raises `UserError` where it holds what no file can: classes of a notebook, tensors."""
        return build(self.config)

    @property
    def final(self) -> dict[str, Any]:
        """The final metrics by name, such as `test.auc`; None for one that its images do not define.

        Raises `UserError` where the run has not finished.
        """
        found = self._kept.final()
        if found is None:
            raise refuse(str(self.directory), "a finished run", self.status, "Continue it: run.resume().")
        return found

    @property
    def rounds(self) -> Rows:
        """A row per round that has ended."""
        return self._kept.rows("rounds")

    @property
    def clients(self) -> Rows:
        """A row per round and client."""
        return self._kept.rows("clients")

    def frame(self, rows: Literal["rounds", "clients", "audit", "faults"] = "rounds") -> pandas.DataFrame:
        """Rows as a table of pandas, which has to be installed."""
        return data_frame(self._kept.rows(rows))

    def resume(self, experiment: Experiment | None = None, *, rounds: int | None = None, quiet: bool = False) -> Run:
        """Continues the run to the bits of one that was never stopped, and returns it.

        experiment: what it was made of, where that holds what no file can. rounds: more than it had, to go on to.
        Raises `UserError` where data, code or options are not those of the run.
        """
        chosen = experiment or self.experiment
        continued(self._kept, chosen, rounds=rounds, show=make_run_display(quiet=quiet))
        return Run(self.directory)

    def predict(
        self, images: Images, *, best: bool = False, client: int | None = None, **arguments: object
    ) -> Prediction:
        """Probabilities and predictions of the global model, or of a client's where models are personal.

        images: a file as for `fedmed predict`, or an array (N, H, W) or (N, H, W, C), or a tensor (N, C, H, W), of the
        size and kind that the model was trained on. best: by the weights of the best round by validation. arguments:
        what else the run's methods let one ask of their model, such as preference=[0.7, 0.3].
        """
        code = code_of(self.config)
        how: dict[str, Any] = {"best": best, "client": client, "arguments": arguments, "trusted": code}
        return predict_images(self.directory, images, **how, say=_silent)

    def export(
        self, out: str | Path | None = None, *, best: bool = False, client: int | None = None, **arguments: object
    ) -> Path:
        """Writes a model's weights as safetensors and returns the file's path; see `predict` for which."""
        how: dict[str, Any] = {"best": best, "client": client, "arguments": arguments}
        return export(self.directory, None if out is None else Path(out), **how, trusted=code_of(self.config))

    def report(self, folder: str | Path | None = None) -> Path:
        """Writes the page about the run, its tables and figures, and returns the page's path."""
        return write_report([self.directory], Path(folder) if folder is not None else self.directory).page

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}, {self.status}, {len(self.rounds)} rounds)"

    def __str__(self) -> str:
        return final_text(self.final) if self.status == "finished" else repr(self)

    def _repr_html_(self) -> str:
        final = self._kept.final() or (self.rounds or [{}])[-1]
        rows = [[name, number(value)] for name, value in final.items() if isinstance(value, int | float)]
        return f"<p><b>{escape(repr(self))}</b></p>{html_table(['', ''], rows)}"


def _silent(text: str) -> None:
    """Code that a script names by itself needs no word."""


def data_frame(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """Rows as a table of pandas; raises `UserError` where pandas is not installed."""
    try:
        import pandas  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise refuse("frame", "pandas", "no such package", "Install it: pip install pandas.") from error
    return pandas.DataFrame(list(rows))


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; every text in it is escaped."""
    lines = [f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in header)}</tr>"] if any(header) else []
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
