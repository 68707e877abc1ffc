"""`fedmed deploy --local N`: an experiment on a SuperLink and N SuperNodes of Flower's, all on this machine."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path

from fedmed.cli import run
from fedmed.cli.arguments import Parser
from fedmed.config import compose
from fedmed.config.grammar import key_of, value_of
from fedmed.errors import refuse

CONNECTION = "fedmed-loopback"
"""`fedmed.engine.flower_run.LOOPBACK`, which is too slow to import for --help."""

TEXT = """\
Runs an experiment as it runs at real sites: starts a SuperLink and N SuperNodes of
Flower's on this machine, one per client, submits the run, and stops them all when it
ends, fails or is interrupted. The result has the same bits as fedmed run.

  fedmed deploy --local 2 strategy=scaffold rounds=3
  fedmed deploy --local 2 dataset=npz dataset.normalise=image engine.classes=9 engine.channels=1 engine.side=28 \\
      --data site0.npz --data site1.npz        # images that stay at their sites
  fedmed deploy --local 2 resume=runs/2026-01-31_12-00-00_scaffold_npz_1a2b3c

For sites of their own see docs/deployment.md: fedmed run engine=superlink."""


def main(arguments: list[str]) -> int:
    """Starts Flower's processes, runs what the overrides ask for, and stops the processes."""
    given, rest = _parser().parse_known_args(arguments)
    if given.local < 1:
        raise refuse("--local", "at least 1 SuperNode", given.local)
    if given.data and len(given.data) != given.local:
        raise refuse("--data", f"{given.local} files, one per SuperNode", len(given.data))
    if missing := [path for path in given.data if not path.is_file()]:
        raise refuse("--data", "files that exist", missing[0], "Check the path.")
    if wrong := [each for each in rest if key_of(each) in ("clients", "engine") or each in ("-m", "--multirun")]:
        fix = "It runs one experiment, with one client per SuperNode, on engine=superlink."
        raise refuse("fedmed deploy", "options of a single run besides clients and engine", wrong[0], fix)
    directory, rest = _directory([*rest, *(["engine.sites=true"] if given.data else [])], given.local)

    from fedmed.deploy.loopback import Loopback

    with Loopback(given.local, directory / "sites", [path.resolve() for path in given.data]):
        return run.main(rest, command=shlex.join(["fedmed", "deploy", *_own(given)]))


def _own(given: Namespace) -> list[str]:
    """The arguments that are not of the run."""
    return ["--local", str(given.local), *(word for path in given.data for word in ("--data", str(path)))]


def _directory(arguments: list[str], clients: int) -> tuple[Path, list[str]]:
    """Where the run is or will be, and the arguments of `fedmed run` that say so; faults are found before any start."""
    if resumed := [value_of(each) for each in arguments if key_of(each) == "resume"]:
        return Path(resumed[-1]).resolve(), arguments
    arguments = [*arguments, f"clients={clients}", "engine=superlink", f"engine.connection={CONNECTION}"]
    directory = compose.plan([each for each in arguments if not each.startswith("-")]).runs[0].directory
    others = [each for each in arguments if key_of(each) != "hydra.run.dir"]
    return directory.resolve(), [*others, f"hydra.run.dir={directory}"]


def _parser() -> Parser:
    parser = Parser("deploy", TEXT)
    parser.add_argument("--local", type=int, required=True, metavar="N", help="SuperNodes to start, one per client")
    images = "a SuperNode's own images; one --data for each"
    parser.add_argument("--data", type=Path, action="append", default=[], metavar="FILE", help=images)
    return parser
