"""`fedmed export`: a run's trained model as one file."""

from __future__ import annotations

from pathlib import Path

from fedmed.cli.arguments import Parser, add_model_choice, model_choice, out_file


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
    add_model_choice(parser)
    given = parser.parse_intermixed_args(arguments)

    from fedmed.run import export

    print(f"wrote {export(given.directory, given.out, **model_choice(given))}")
    return 0
