"""`fedmed data check`: what a dataset holds, what is damaged, twice there or in two splits, and how it looks."""

from __future__ import annotations

from fedmed.cli.arguments import Parser, out_file
from fedmed.config import compose


def main(arguments: list[str]) -> int:
    """Reads a dataset as a run would, and says what is in it."""
    parser = Parser("data", "Reads a dataset as a run would, and says what is in it. Takes the options of a run.")
    parser.add_argument("what", choices=("check",), metavar="check", help="what to do")
    parser.add_argument("overrides", nargs="*", metavar="OPTION=VALUE")
    parser.add_argument("--png", type=out_file, metavar="FILE", default="contact_sheet.png", help="images of each site")
    parser.add_argument("--no-png", dest="png", action="store_const", const=None, help="only the text")
    given = parser.parse_intermixed_args(arguments)
    config = compose.compose(given.overrides)

    from fedmed.config.build import build
    from fedmed.data.contact_sheet import contact_sheet
    from fedmed.data.inspection import inspect
    from fedmed.data.prepare import prepare
    from fedmed.files import write_atomically

    table = prepare(build(config).dataset)
    print("\n".join(inspect(table).lines()))
    if given.png:
        write_atomically(given.png, contact_sheet(table))
        print(f"wrote {given.png}")
    return 0
