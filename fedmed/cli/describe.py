"""`fedmed describe`: who holds how many of what, as a table and a picture, before anyone trains."""

from __future__ import annotations

import shutil
import sys

from fedmed.cli.arguments import Parser, out_file
from fedmed.config import compose


def main(arguments: list[str]) -> int:
    """Prints the federation that the overrides make, and draws it."""
    parser = Parser("describe", "Shows who holds how many of what. Takes the options of fedmed run.")
    parser.add_argument("overrides", nargs="*", metavar="OPTION=VALUE")
    parser.add_argument("--png", type=out_file, metavar="FILE", default="federation.png", help="where to draw it")
    parser.add_argument("--no-png", dest="png", action="store_const", const=None, help="only the table")
    parser.add_argument(
        "--save", type=out_file, metavar="FILE", help="keep the division, for partition=file partition.path=FILE"
    )
    given = parser.parse_intermixed_args(arguments)
    config = compose.compose(given.overrides)

    from fedmed.run import build, describe
    from fedmed.terminal.federation import federation_table, federation_text

    federation = describe(build(config), given.save)
    width = shutil.get_terminal_size().columns
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(federation_table(federation, width), soft_wrap=True)
    else:
        print(federation_text(federation, width))
    if given.png:
        from fedmed.report.figures.federation import federation_png

        federation_png(federation, given.png)
        print(f"wrote {given.png}")
    if given.save:
        print(f"wrote {given.save}: use it with partition=file partition.path={given.save}")
    return 0
