"""What `fedmed run` prints about a run: its result, its page, and how to go on where it was interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from fedmed.config.stored import must_be_trusted
from fedmed.errors import refuse_file
from fedmed.heap import import_for_good
from fedmed.rundir.final import Final


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
        from fedmed.terminal.progress import make_run_display

        return make_run_display(quiet=self.quiet)

    def page(self, folder: Path) -> None:
        """The page about the run in the folder, or about all runs in it, if it is to be shown."""
        if self.open:
            from fedmed.api.report import write_report
            from fedmed.cli.report import show

            page = write_report([folder], folder).page
            print(f"wrote {page}", file=sys.stderr)
            show(page)

    def final(self, final: Final) -> None:
        """The result of a run that ended."""
        from fedmed.rundir import json_text
        from fedmed.terminal.final import final_table, final_text

        if self.json:
            print(json_text.dumps(final), flush=True)
        elif not sys.stdout.isatty():
            print(final_text(final), flush=True)
        else:
            from rich.console import Console

            Console().print(final_table(final), soft_wrap=True)


def attempt(output: Output, directory: Path, work: Callable[[Any, Any], Final]) -> Final | None:
    """Does the work and returns its result; where it is interrupted, says how to go on and returns None.

    work: gets `fedmed.run` and the view of the run.
    """
    try:
        with redirect_stdout(sys.stderr):
            return work(import_for_good("fedmed.run"), output.show())
    except KeyboardInterrupt as interruption:
        if message := str(interruption):
            print(f"\nInterrupted. {message}", file=sys.stderr)
        elif directory.exists():
            print(f"\nInterrupted. Continue with: {_again(output, directory)}", file=sys.stderr)
        return None
    except OSError as error:
        then = f"Then continue with: {_again(output, directory)}" if (directory / "config.yaml").exists() else ""
        raise refuse_file(error, then) or error from error


def short(path: Path) -> Path:
    """The path from the current directory where it lies inside."""
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path


def _again(output: Output, directory: Path) -> str:
    """The command that continues a run."""
    trust = [f"--trust {quote(str(short(file)))}" for file in must_be_trusted(directory)]
    return " ".join([output.command, quote(f"resume={short(directory)}"), *trust])
