"""What shells complete of a `fedmed` command line: `eval "$(fedmed -sc install=bash)"`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from fedmed.config.about import complete_options, shell_completion

TAKING_OPTIONS = ("run", "compare", "tune", "deploy", "describe", "data")
"""Commands that take options of runs."""


def complete(arguments: list[str], commands: Iterable[str]) -> None:
    """Prints what a shell asks for: words that install completion, or by what a line in COMP_LINE can go on."""
    request, _, shell = arguments[0].partition("=") if len(arguments) == 1 else ("", "", "")
    line = os.environ.get("COMP_LINE")
    if request != "query" or line is None:
        shell_completion(arguments)
        return
    _, _, rest = line.lstrip().partition(" ")
    command, space, options = rest.lstrip().partition(" ")
    if not space:
        print("\n".join(name for name in commands if name.startswith(command)))
    elif command in TAKING_OPTIONS:
        complete_options(options.lstrip(), shell)
