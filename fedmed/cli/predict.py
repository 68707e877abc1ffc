"""`fedmed predict`: a run's trained model, used on images."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from fedmed.cli.arguments import Parser, add_asked, add_client, add_trust, out_file


def main(arguments: list[str]) -> int:
    """Writes what the model of a run directory predicts for images."""
    parser = Parser("predict", "Uses the trained model of a run on images.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="run directory")
    parser.add_argument("images", type=Path, metavar="IMAGES", help="npz file with an array named images")
    parser.add_argument(
        "--out", type=out_file, metavar="FILE", help="where to write it (default: predictions.npz in the run directory)"
    )
    parser.add_argument("--best", action="store_true", help="the model of the best round by validation, not the last")
    add_asked(parser)
    add_client(parser)
    add_trust(parser)
    given = parser.parse_intermixed_args(arguments)

    from fedmed.run import predict

    say = partial(print, "fedmed:", file=sys.stderr)
    how = {"best": given.best, "client": given.client, "trusted": given.trust, "say": say}
    asked = dict(given.asked)
    out = predict(given.directory, given.images, given.out, arguments=asked, **how)
    print(f"wrote {out}")
    return 0
