"""What Hydra prints about itself and about a composed config, and its completion for shells."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser

from fedmed.config.compose import Plan, session
from fedmed.config.grammar import join_members
from fedmed.errors import refuse
from fedmed.options.catalogue import discover

REQUESTS, SHELLS = ("install", "uninstall", "query"), ("bash", "fish", "zsh")


def info(checked: Plan, part: str) -> None:
    """Prints the output of Hydra's `--info`."""
    with session(checked.catalogue, checked.overrides) as app:
        app.show_info(part, config_name="config", overrides=list(checked.overrides))


def hydra_help() -> None:
    """Prints the output of Hydra's `--hydra-help`."""
    with session(discover()) as app:
        app.hydra_help("config", args_parser=get_args_parser(), args=Namespace(overrides=[]))


def shell_completion(arguments: Sequence[str]) -> None:
    """Prints what a shell asks for, as Hydra's `-sc` does: install=bash, uninstall=fish, query=zsh and the like."""
    request, _, shell = arguments[0].partition("=") if len(arguments) == 1 else ("", "", "")
    if request not in REQUESTS or shell not in SHELLS:
        expected = f"{'|'.join(REQUESTS)}={'|'.join(SHELLS)}"
        fix = 'For instance, in ~/.bashrc: eval "$(fedmed -sc install=bash)"'
        raise refuse("--shell-completion", expected, " ".join(arguments) or "nothing", fix)
    with session(discover()) as app:
        app.shell_completion(config_name="config", overrides=[f"{request}={shell}"])


def complete_options(line: str, shell: str) -> None:
    """Prints by what the last word of a line of options can go on. line: of a command of fedmed, without its words."""
    words = line.split(" ")
    kept = [word for word in words[:-1] if not word.startswith("-") or word in ("-m", "--multirun")]
    os.environ["COMP_LINE"] = " ".join(["fedmed", *join_members(kept), words[-1]])
    shell_completion([f"query={shell}"])
