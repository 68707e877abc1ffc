"""The flags of Hydra's own command line, beside fedmed's: those that print and stop, and where to look."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fedmed.config import about, compose
from fedmed.config.grammar import key_of, quoted, value_of
from fedmed.errors import refuse

PRINTED = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""Topics of --info."""

ELSEWHERE = {
    "--config-path": "The primary configuration is fedmed's. Look in a folder of your own beside it: --config-dir DIR.",
    "--config-name": "The primary configuration is fedmed's. Write DIR/experiment/NAME.yaml, its first line "
    "# @package _global_, and choose it: --config-dir DIR experiment=NAME.",
    "--experimental-rerun": "A pickle may run any code, so none is read. Continue a run with resume=DIR, or repeat it "
    "with the options that its config.yaml holds.",
}
"""What fedmed does in place of some flags."""


def add_flags(parser: ArgumentParser) -> None:
    """Adds Hydra's flags, by their long and their short names."""
    parser.add_argument("-r", "--run", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-c", "--cfg", choices=("job", "hydra", "all"))
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("-i", "--info", nargs="?", const="all", choices=PRINTED)
    parser.add_argument("-sc", "--shell-completion", "--shell_completion", action="store_true")
    parser.add_argument("--hydra-help", action="store_true")
    parser.add_argument("-cd", "--config-dir")
    parser.add_argument("-cp", "--config-path")
    parser.add_argument("-cn", "--config-name")
    parser.add_argument("--experimental-rerun")


def with_flags(given: Namespace) -> list[str]:
    """The overrides with what flags say as well; raises `UserError` for flags that fedmed has no use for."""
    for flag, fix in ELSEWHERE.items():
        if (value := vars(given)[flag.removeprefix("--").replace("-", "_")]) is not None:
            raise refuse(flag, "a flag that fedmed has", value, fix)
    chosen = [name for name in ("run", "multirun", "cfg", "info", "shell_completion") if vars(given)[name]]
    if len(chosen) > 1:
        flags = [f"--{name.replace('_', '-')}" for name in chosen]
        raise refuse(" and ".join(flags), "one of them", f"{len(flags)}", "Leave the others out.")
    if given.resolve and not given.cfg:
        raise refuse("--resolve", "--cfg beside it", "none", "Add --cfg job.")
    return _searching(given.overrides, given.config_dir) if given.config_dir else list(given.overrides)


def answer(given: Namespace, overrides: list[str]) -> bool:
    """Prints what Hydra's flags ask for; whether they asked for anything."""
    if given.shell_completion:
        about.shell_completion(overrides)
    elif given.hydra_help:
        about.hydra_help()
    elif given.info:
        about.info(compose.plan(overrides), given.info)
    else:
        return False
    return True


def _searching(overrides: list[str], folder: str) -> list[str]:
    """Has Hydra look for choices in a folder too."""
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise refuse("--config-dir", "a folder", folder, "Check the path.")
    others = [value_of(each).strip("[]") for each in overrides if key_of(each) == "hydra.searchpath"]
    places = [quoted(f"file://{path.resolve()}"), *(each for each in others if each)]
    rest = [each for each in overrides if key_of(each) != "hydra.searchpath"]
    return [f"hydra.searchpath=[{','.join(places)}]", *rest]
