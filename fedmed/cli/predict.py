"""`fedmed predict`: a run's trained model, used on images."""

from __future__ import annotations

from pathlib import Path

from fedmed.cli.arguments import Parser


def main(arguments: list[str]) -> int:
    """Writes what the model of a run directory predicts for images."""
    parser = Parser("predict", "Uses the trained model of a run on images.")
    parser.add_argument("directory", type=Path, metavar="DIR", help="run directory")
    parser.add_argument("images", type=Path, metavar="IMAGES", help="npz or npy file of images")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: beside the images)")
    given = parser.parse_args(arguments)

    from fedmed import runner

    print(f"wrote {runner.predict(given.directory, given.images, given.out)}")
    return 0
