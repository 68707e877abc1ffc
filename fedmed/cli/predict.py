"""`fedmed predict`: a run's trained model, used on images."""

from __future__ import annotations

from pathlib import Path

from fedmed.cli.arguments import Parser, add_model_choice, model_choice, out_file


def main(arguments: list[str]) -> int:
    """Writes what the model of a run directory predicts for images."""
    parser = Parser("predict", "Uses the trained model of a run on images.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="run directory")
    parser.add_argument("images", type=Path, metavar="IMAGES", help="npz file with an array named images")
    parser.add_argument(
        "--out", type=out_file, metavar="FILE", help="where to write it (default: predictions.npz in the run directory)"
    )
    add_model_choice(parser)
    given = parser.parse_intermixed_args(arguments)

    from fedmed.run import predict

    print(f"wrote {predict(given.directory, given.images, given.out, **model_choice(given))}")
    return 0
