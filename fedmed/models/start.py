"""The network a run starts from: checked against the images, built from the seed, filled from a file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fedmed.errors import Fault, UserError
from fedmed.models.convert import convert
from fedmed.models.net import Model, Net, by_pixel, scope
from fedmed.models.tensor_files import file_of, missing_file, read_tensors
from fedmed.rng import seeded


def create(model: Model, *, channels: int, outputs: int, side: int, seed: int, dimensions: int = 2) -> Net:
    """The network for images (B, channels, side, side) with `outputs` logits; equal for equal seeds.

    dimensions: 2, or 3 for volumes. Raises UserError where the model does not take them, where they are too small for
    it, or where `model.weights` does not fit.
    """
    if faults := [*_dimension_faults(model, dimensions), *_side_faults(model, side)]:
        raise UserError(*faults)
    also = (dimensions,) if model.dimensions > {2} else ()  # a model for images alone need not know the parameter
    with seeded(seed, "weights"):
        net = model.build(channels, outputs, side, *also)
    net = laid_out(net, model, dimensions)
    if model.weights is not None:
        _load(net, Path(model.weights))
    _freeze(net, model.freeze)
    return net


def _freeze(net: Net, patterns: Sequence[str]) -> None:
    """Leaves the parameters that the patterns choose without a gradient."""
    chosen, faults = scope(net, patterns), []
    for pattern in patterns:
        if not scope(net, [pattern]):
            fix = f"The model's weights begin with {', '.join(list(net.state_dict())[:4])}."
            faults.append(Fault("model.freeze", "patterns that match weights of the model", pattern, fix))
    if faults:
        raise UserError(*faults)
    for name, parameter in net.named_parameters():
        if name in chosen:
            parameter.requires_grad_(False)


def laid_out(net: Net, model: Model, dimensions: int = 2) -> Net:
    """The net, its weights in memory as the model's options say."""
    if model.channels_last:
        # torch's annotations of Module.to leave this overload out for subclasses
        net = net.to(memory_format=by_pixel(dimensions))  # type: ignore[call-overload]
    return net


def check(model: Model, task_kind: str, channels: int, side: int, dimensions: int = 2) -> list[Fault]:
    """What speaks against this model for images (channels, side, side) and this kind of task, without building it.

    dimensions: 2, or 3 for volumes.
    """
    faults = [*_dimension_faults(model, dimensions), *_side_faults(model, side)]
    if task_kind not in model.tasks:
        kinds = " or ".join(sorted(model.tasks))
        faults.append(
            Fault("model", f"a model for {task_kind}", f"{_name(model)} for {kinds}", "See fedmed list models.")
        )
    if channels < 1:
        faults.append(Fault("model", "images of 1 channel or more", str(channels)))
    if model.weights is not None and not (path := file_of(Path(model.weights))).is_file():
        faults.append(missing_file(path))
    return faults


def shape_faults(
    net: Net, task_kind: str, *, channels: int, outputs: int, side: int, dimensions: int = 2
) -> list[Fault]:
    """Where the network does not keep `Net`'s word about shapes, found with one empty image."""
    sides = (side,) * dimensions
    pixels = sides if task_kind == "segmentation" else ()
    training = net.training
    try:
        with torch.no_grad():
            features = net.eval().features(torch.zeros(1, channels, *sides))
            logits = net.head(features)
    except RuntimeError as error:
        return [Fault("model", f"a network for images of shape {[channels, *sides]}", str(error))]
    finally:
        net.train(training)
    faults = []
    if features.shape[2:] != pixels or features.dim() < 2:
        expected, fix = (
            f"features (B, F, {', '.join(map(str, pixels))})" if pixels else "one feature vector per image, (B, F)",
            "Pool in features.",
        )
        faults.append(Fault("model.features", expected, _shape(features), "" if pixels else fix))
    if logits.shape != (1, outputs, *pixels):
        sizes = ", ".join(map(str, (outputs, *pixels)))
        faults.append(Fault("model.head", f"logits (B, {sizes})", _shape(logits)))
    return faults


def _shape(tensor: Tensor) -> str:
    return f"(B, {', '.join(map(str, tensor.shape[1:]))})"


def _dimension_faults(model: Model, dimensions: int) -> list[Fault]:
    if dimensions in model.dimensions:
        return []
    got = f"{'volumes' if dimensions == 3 else 'images'}, in {dimensions}"
    expected = f"images of {' or '.join(map(str, sorted(model.dimensions)))} dimensions for {_name(model)}"
    return [Fault("model", expected, got, "See fedmed list models: some take volumes, as resnet18 and unet do.")]


def _side_faults(model: Model, side: int) -> list[Fault]:
    name = _name(model)
    nearest = max(round(side / model.multiple) * model.multiple, model.min_side)
    fix = f"Set dataset.resize={nearest}, or choose another model."
    if side < model.min_side:
        return [Fault("model", f"images of at least {model.min_side} pixels a side for {name}", str(side), fix)]
    if side % model.multiple:
        return [Fault("model", f"a side that is a multiple of {model.multiple} pixels for {name}", str(side), fix)]
    return []


def _name(model: Model) -> str:
    return type(model).__module__.rpartition(".")[2]


def _load(net: Net, path: Path) -> None:
    """Copies what a file of weights has for the net; a head for other classes stays as seeded."""
    converted = convert(read_tensors(file_of(path), where="model.weights"), net)
    net.load_state_dict(converted.weights, strict=False)
    net.begun = "" if converted.whole else f"model.weights={path}: {converted.report()}"
