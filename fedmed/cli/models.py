"""`fedmed models convert`: weights of other libraries as a file that a run can start from."""

from __future__ import annotations

from pathlib import Path

from fedmed.cli.arguments import Parser, count_of, out_file


def main(arguments: list[str]) -> int:
    """Converts a file of weights."""
    parser = Parser("models convert", "Brings weights of torchvision, MONAI or Hugging Face into the names of a model.")
    parser.add_argument("what", choices=("convert",), metavar="convert", help="what to do")
    parser.add_argument("file", type=Path, metavar="FILE", help="safetensors, or a torch file of plain tensors")
    parser.add_argument("--model", required=True, metavar="MODEL", help="whose names they get (see fedmed list models)")
    parser.add_argument("--out", type=out_file, required=True, metavar="FILE", help="where to, for model.weights=")
    parser.add_argument("--channels", type=count_of, default=3, metavar="C", help="of the images (default: 3)")
    parser.add_argument("--side", type=count_of, default=224, metavar="S", help="of images, in pixels (default: 224)")
    parser.add_argument("options", nargs="*", metavar="model.OPTION=VALUE", help="options of the model")
    given = parser.parse_intermixed_args(arguments)

    from fedmed.config.build import experiment_from
    from fedmed.files import write_atomically
    from fedmed.models.convert import convert
    from fedmed.models.start import create
    from fedmed.models.tensor_files import read_tensors
    from fedmed.rundir.tensors import pack_weights

    weights = read_tensors(given.file, where="fedmed models convert")
    model = experiment_from([f"model={given.model}", *given.options]).model
    net = create(model, channels=given.channels, outputs=1, side=given.side, seed=0)
    converted = convert(weights, net, "fedmed models convert")
    write_atomically(given.out, pack_weights(converted.weights))
    print(converted.report(), f"wrote {given.out}", sep="\n")
    return 0
