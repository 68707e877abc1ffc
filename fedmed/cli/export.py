"""`fedmed export`: a run's trained model as one file."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from fedmed.cli.arguments import Parser, add_asked, add_client, add_trust, out_file


def main(arguments: list[str]) -> int:
    """Writes the model of a run directory."""
    parser = Parser("export", "Writes the trained model of a run to one file.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="run directory")
    parser.add_argument(
        "--out",
        type=out_file,
        metavar="FILE",
        help="where to (default: weights.safetensors in the run directory)",
    )
    parser.add_argument("--best", action="store_true", help="the model of the best round by validation, not the last")
    add_asked(parser)
    add_client(parser)
    add_trust(parser)
    given = parser.parse_intermixed_args(arguments)

    from fedmed.run import export

    say = partial(print, "fedmed:", file=sys.stderr)
    how = {"best": given.best, "client": given.client, "trusted": given.trust, "say": say}
    asked = dict(given.asked)
    print(f"wrote {export(given.directory, given.out, arguments=asked, **how)}")
    return 0
