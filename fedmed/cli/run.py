"""`fedmed run`: one experiment or a sweep; checked in full before anything is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from omegaconf import DictConfig

from fedmed.cli.arguments import Parser, add_trust
from fedmed.cli.help import run_help
from fedmed.config import compose
from fedmed.config.compose import Plan
from fedmed.config.grammar import key_of, value_of
from fedmed.config.stored import must_be_trusted
from fedmed.errors import refuse, refuse_file
from fedmed.heap import growing, import_for_good

Final = Mapping[str, Any]


def main(arguments: list[str], *, command: str = "fedmed run") -> int:
    """Runs what the overrides ask for; see `fedmed run --help`. command: what continues an interrupted run."""
    given = _parser().parse_intermixed_args(arguments)
    if given.help:
        print(run_help())
        return 0
    output = Output(json=given.json, quiet=given.quiet, open=given.open, command=command)
    resumed = [value_of(o) for o in given.overrides if key_of(o) == "resume" and value_of(o) != "null"]
    if resumed and not given.cfg:
        others = [o for o in given.overrides if key_of(o) != "resume"]
        return _resume(Path(resumed[-1]), others, output, given.trust)
    if given.trust:
        raise refuse("--trust", "resume= with a run directory", "a new run", "Its options name its code: leave it out.")
    with growing():
        checked = compose.plan(given.overrides, sweep=given.multirun)
    if given.cfg:
        compose.show(checked, part=given.cfg, package=given.package, resolve=given.resolve)
        return 0
    return _sweep(checked, output) if given.multirun else _run(checked, output)


@dataclass(frozen=True, slots=True)
class Output:
    """Where a run's words go: with `json` only its final metrics to standard output, one line per run.

    open: whether its page is shown in the browser at the end. command: what continues an interrupted run.
    """

    json: bool
    quiet: bool
    open: bool = False
    command: str = "fedmed run"

    def show(self) -> Any:
        """The view of a run in progress."""
        from fedmed.results.progress import make_show

        return make_show(quiet=self.quiet)

    def page(self, folder: Path) -> None:
        """The page about the run in the folder, or about all runs in it, if it is to be shown."""
        if self.open:
            from fedmed.cli.report import build, show

            page = build([folder], folder)
            print(f"wrote {page}", file=sys.stderr)
            show(page)

    def final(self, final: Final) -> None:
        """The result of a run that ended."""
        from fedmed.results import json_text, summary

        if self.json:
            print(json_text.dumps(final), flush=True)
        elif not sys.stdout.isatty():
            print(summary.final_text(final), flush=True)
        else:
            from rich.console import Console

            Console().print(summary.final_table(final), soft_wrap=True)


def _parser() -> Parser:
    parser = Parser("run", "Runs an experiment.", add_help=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-q", "--quiet", action="store_true")
    parser.add_argument("--open", action="store_true")
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    add_trust(parser)
    return parser


def _run(checked: Plan, output: Output) -> int:
    job = checked.jobs[0]
    code = _guard(output, job.directory, lambda runner, show: runner.run(job.config, job.directory, show=show))
    if code == 0:
        output.page(job.directory)
    return code


def _resume(directory: Path, overrides: list[str], output: Output, trusted: list[Path]) -> int:
    def work(runner: Any, show: Any) -> Any:
        return runner.resume(directory, overrides=overrides, show=show, trusted=trusted)

    code = _guard(output, directory, work)
    if code == 0:
        output.page(directory)
    return code


def _sweep(checked: Plan, output: Output) -> int:
    count = len(checked.jobs)
    started: list[Path] = []

    def task(config: DictConfig, absolute: Path) -> None:
        directory = _short(absolute)
        started.append(directory)
        if not output.quiet:
            print(f"run {len(started)} of {count}: {directory}", file=sys.stderr, flush=True)
        code = _guard(output, directory, lambda runner, show: runner.run(config, directory, show=show))
        if code:
            raise KeyboardInterrupt

    compose.sweep(checked, task)
    output.page(started[0].parent)
    return 0


def _guard(output: Output, directory: Path, work: Any) -> int:
    """Does the work, shows its result, and says how to go on when it is interrupted."""
    try:
        with redirect_stdout(sys.stderr):
            final = work(import_for_good("fedmed.runner"), output.show())
    except KeyboardInterrupt as interruption:
        if said := str(interruption):
            print(f"\nInterrupted. {said}", file=sys.stderr)
        elif directory.exists():
            print(f"\nInterrupted. Continue with: {_again(output, directory)}", file=sys.stderr)
        return 130
    except OSError as error:
        then = f"Then continue with: {_again(output, directory)}" if (directory / "config.yaml").exists() else ""
        raise refuse_file(error, then) or error from error
    output.final(final)
    return _judged(final)


def _judged(final: Final) -> int:
    """The exit code of a run that ended; raises `UserError` where its last model is of no use."""
    from fedmed.results.summary import diverged

    if diverged(final):
        fix = "Training diverged: lower optimizer.lr, set clip_norm, or normalise the images (dataset.normalise)."
        raise refuse(str(final["directory"]), "a last model with finite outputs", "one without", fix)
    return 0


def _again(output: Output, directory: Path) -> str:
    """The command that continues a run."""
    trust = [f"--trust {quote(str(_short(file)))}" for file in must_be_trusted(directory)]
    return " ".join([output.command, f"resume={_short(directory)}", *trust])


def _short(path: Path) -> Path:
    """The path from the current directory where it lies inside."""
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
