"""The `fedmed` command: finds the sub-command, and turns what the user can mend into exit code 2."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from fedmed.cli import streams
from fedmed.cli.installation import refuse_another_fedmed
from fedmed.errors import UserError, near, refuse, refuse_file
from fedmed.heap import import_for_good
from fedmed.offline import go_offline

COMMANDS = {
    "run": "run an experiment, or a sweep of them",
    "compare": "run strategies on the same data, and tell their differences",
    "tune": "search options of strategies, each with the same budget",
    "schedule": "share hospitals' privacy budgets among training jobs",
    "watch": "follow runs that are under way",
    "deploy": "run on a SuperLink of Flower's, with a process per client",
    "describe": "show who holds how many of what, before anyone trains",
    "data": "look through a dataset: what is damaged, twice there, or in two splits",
    "list": "strategies, datasets, models and every other option",
    "new": "write a new method that runs at once",
    "report": "write one page about a run, or about many side by side",
    "export": "write a run's trained model to one file",
    "models": "bring weights of other libraries into the names of a model",
    "predict": "use a run's trained model on images",
    "doctor": "show versions, devices and folders, and what does not work",
}

USAGE = """\
fedmed {version}: federated-learning simulation for medical imaging

usage: fedmed COMMAND ...

{commands}

  fedmed run                                   synthetic images, ten clients, FedAvg
  fedmed run strategy=fedprox strategy.mu=0.1  another method, with one of its options
  fedmed run --help                            every option of a run
  fedmed COMMAND --help                        the options of any other command"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0; 2 for what the user can mend; 130 when interrupted."""
    go_offline()
    if arguments is None:
        streams.prepare()
        _interrupt_on_signals()
        os.environ["PYTHONSAFEPATH"] = "1"  # no worker takes a user's random.py in the current folder for the library
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        refuse_another_fedmed()
        code = _dispatch(command, rest)
        sys.stdout.flush()
        return code
    except UserError as error:
        return _say(error)
    except KeyboardInterrupt:
        print("fedmed: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `fedmed list | head`
        _discard_output()
        return 141
    except OSError as error:
        if (fault := refuse_file(error)) is None:
            raise
        with suppress(OSError):
            sys.stdout.flush()
        if arguments is None and error.filename is None:
            _discard_output()
        return _say(fault)


def _say(error: UserError) -> int:
    for fault in error.faults:
        print(f"fedmed: error: {fault}", file=sys.stderr)
    return 2


def _discard_output() -> None:
    """What standard output still holds is not tried again when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt_on_signals() -> None:
    """SIGTERM of a scheduler or a container, and SIGHUP of a terminal that closes unless nohup has it ignored."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows lacks the second
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Ends as Ctrl-C would, so that nothing is left behind; once, since a terminal that closes says so twice."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _dispatch(command: str, arguments: list[str]) -> int:
    if command in ("--help", "-h", "help"):
        print(_usage())
        return 0
    if command in ("--version", "-V"):
        from fedmed import __version__

        print(f"fedmed {__version__}")
        return 0
    if command in ("-sc", "--shell-completion", "--shell_completion"):
        from fedmed.cli.completion import complete

        complete(arguments, COMMANDS)
        return 0
    if command not in COMMANDS:
        run = " To run an experiment, write fedmed run first." if "=" in command else ""
        raise refuse("command", f"one of {', '.join(COMMANDS)}", command, near(command, COMMANDS) + run)
    module: Any = import_for_good(f"fedmed.cli.{command}")
    entry: Callable[[list[str]], int] = module.main
    return entry(arguments)


def _usage() -> str:
    from fedmed import __version__

    lines = (f"  {name:<10}{meaning}" for name, meaning in COMMANDS.items())
    return USAGE.format(version=__version__, commands="\n".join(lines))
