"""Parsing of arguments with errors in the project's form."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
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


def add_client(parser: ArgumentParser) -> None:
    """Adds --client, for runs without one global model."""
    words = "the model of this client, by its number from 0, where clients have models of their own"
    parser.add_argument("--client", type=int, metavar="K", help=words)


def add_asked(parser: ArgumentParser) -> None:
    """Adds NAME=VALUE, for what methods let a user ask of their trained model."""
    words = "what the run's methods let one ask of their model, as preference=[.7,.3]"
    parser.add_argument("asked", nargs="*", type=_named_value, default=[], metavar="NAME=VALUE", help=words)


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
