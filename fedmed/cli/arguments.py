"""Parsing of arguments with errors in the project's form."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import yaml

from fedmed.errors import refuse


class Parser(ArgumentParser):
    """An argument parser whose errors are a `UserError`."""

    def __init__(self, command: str, description: str, *, add_help: bool = True) -> None:
        super().__init__(
            f"fedmed {command}",
            description=description,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=add_help,
        )

    def error(self, message: str) -> NoReturn:
        """Raises `UserError` with what argparse found."""
        raise refuse(self.prog, "the arguments that it takes", message, f"See {self.prog} --help.")


def add_better(parser: ArgumentParser) -> None:
    """Adds --better, for runs that do not tell which way a metric of the user's improves."""
    parser.add_argument(
        "--better", choices=("higher", "lower"), help="which way the metric improves, where the runs do not tell"
    )


def add_trust(parser: ArgumentParser) -> None:
    """Adds --trust, for run directories that name code of their own."""
    words = "a file, or a folder with all below, whose code the run directory may import (may be repeated)"
    parser.add_argument("--trust", type=Path, action="append", default=[], metavar="PATH", help=words)


def add_model_choice(parser: ArgumentParser) -> None:
    """Adds what chooses one model of a run, as `model_choice` reads it: --best, --client, NAME=VALUE and --trust."""
    asked = "what the run's methods let one ask of their model, as preference=[.7,.3]"
    client = "the model of this client, by its number from 0, where clients have models of their own"
    parser.add_argument("--best", action="store_true", help="the model of the best round by validation, not the last")
    parser.add_argument("arguments", nargs="*", type=_named_value, default=[], metavar="NAME=VALUE", help=asked)
    parser.add_argument("--client", type=int, metavar="K", help=client)
    add_trust(parser)


def model_choice(given: Namespace) -> dict[str, Any]:
    """The model of a run that the arguments choose, as `fedmed.run.predict` and `export` take it."""
    return {
        "best": given.best,
        "client": given.client,
        "arguments": dict(given.arguments),
        "trusted": given.trust,
        "say": partial(print, "fedmed:", file=sys.stderr),
    }


def _named_value(text: str) -> tuple[str, Any]:
    """A name and a number, a word or a list of them, as the type of an argument."""
    name, mark, value = text.partition("=")
    if not (name.isidentifier() and mark):
        raise ArgumentTypeError(f"{text} instead of NAME=VALUE")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ArgumentTypeError(f"{text}, whose value is no number, word or list") from error


def out_file(text: str) -> Path:
    """A file to write to, as the type of an argument; refuses a folder."""
    if Path(text).is_dir():
        raise ArgumentTypeError(f"the folder {text} instead of a file")
    return Path(text)


def positive(text: str) -> float:
    """A number above 0, as the type of an argument."""
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text} instead of a number") from error
    if not value > 0:
        raise ArgumentTypeError(f"{text} instead of a number above 0")
    return value


def count_of(text: str) -> int:
    """A whole number from 1 on, as the type of an argument."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text} instead of a whole number from 1 on")
    return int(text)
