"""Using a trained model: as a file of weights, and on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.client.patches import windows
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.npz.opening import open_npz
from fedmed.data.npz.pixels import read_pixels
from fedmed.errors import refuse
from fedmed.files import replacing, write_atomically
from fedmed.inference.model_card import dimensions_of, read_card
from fedmed.inference.trained_net import TrainedNet, merged, trained_net, trained_weights
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.tensors import pack_weights

Images = str | Path | NDArray[Any] | Tensor
"""Images to predict: the path of an npz file, an array, or a tensor."""

KEYS = ("images", "test_images")
"""Where an npz file of images to predict may keep them, the first that is there."""


def export(
    directory: Path,
    out: Path | None = None,
    *,
    best: bool = False,
    client: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Path:
    """Writes the weights of a run's model as safetensors, to start from with model.weights=; the path written.

    They are those that clients share, and a client's own too where one is named. What methods have built into the net
    is merged into the plain model's weights where it can be.
    out: None for weights.safetensors in the run directory. best: of the best round by validation, not the last.
    client, arguments, trusted, say: see `fedmed.inference.trained_net.trained_net`.
    """
    out = out or directory / "weights.safetensors"
    card, _, _ = read_card(directory)
    if card.get("built") or card.get("frozen") or arguments:
        found = trained_net(directory, best=best, client=client, arguments=arguments, trusted=trusted, say=say)
        weights = dict(merged(found.net).state_dict())
    else:
        weights = trained_weights(RunDirectory.open(directory), card, best=best, client=client)
    write_atomically(out, pack_weights(weights))
    return out


def predict(
    directory: Path,
    images: Path,
    out: Path | None = None,
    *,
    best: bool = False,
    client: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Path:
    """Writes a model's probabilities and predictions, and its classes' names, for images as npz; its path.

    images: npz with `images` (N, H, W) or (N, H, W, C) of the size that the model was trained on, or for a model of
    volumes (N, D, H, W) or (N, D, H, W, C).
    out: None for predictions.npz in the run directory. best: of the best round by validation, not the last.
    client, arguments, trusted, say: see `fedmed.inference.trained_net.trained_net`.
    Raises `UserError` where model or images do not fit.
    """
    how: dict[str, Any] = {"best": best, "client": client, "arguments": arguments, "trusted": trusted, "say": say}
    found = predict_images(directory, images, **how)
    out = out or directory / "predictions.npz"
    with replacing(out) as file:
        content = {"probabilities": found.probabilities, "prediction": found.prediction}
        if found.class_names:
            content["class_names"] = np.array(found.class_names)
        np.savez_compressed(file, **content)  # type: ignore[arg-type]
    return out


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of images.

    probabilities: (N, K), or (N, K, H, W) for segmentation, float32. prediction: the class of the greatest (N,) or
    (N, H, W), or for multi-label whether each is above one half (N, L). Those of volumes have their D before H.
    class_names: in order; empty where unknown.
    """

    probabilities: NDArray[np.float32]
    prediction: NDArray[Any]
    class_names: tuple[str, ...]


def predict_images(
    directory: Path,
    images: Images,
    *,
    best: bool = False,
    client: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Prediction:
    """What a run's model says of images: those of a file as for `predict`, an array or a tensor.

    images: arrays are (N, H, W) or (N, H, W, C), tensors (N, C, H, W); of volumes with D before H. See `predict` for
    the rest.
    """
    model = trained_net(directory, best=best, client=client, arguments=arguments, trusted=trusted, say=say)
    card, task = dict(model.card), model.task
    x = read_images(Path(images), card) if isinstance(images, str | Path) else _given_images(images, card)
    with torch.no_grad():
        parts = [task.probabilities(_logits(model, x[rows])) for rows in evaluation_slices(Examples(x, x))]
    probabilities = torch.cat(parts)
    prediction = probabilities > 0.5 if task.kind == "multilabel" else probabilities.argmax(1)
    return Prediction(probabilities.numpy(), _smallest(prediction, task.classes), tuple(task.names))


def _logits(model: TrainedNet, x: Tensor) -> Tensor:
    """Of whole images as stored; window by window where the net was trained on patches."""
    patch, images = model.card.get("patch"), model.normalise(x)
    return model.logits(images) if patch is None else windows(model.logits, images, patch)


def _given_images(images: NDArray[Any] | Tensor, card: dict[str, Any]) -> Tensor:
    """Images in memory as (N, C, H, W); raises `UserError` where they are not of the model's form."""
    x = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    axes = dimensions_of(card)
    if not isinstance(images, Tensor):
        x = x[:, None] if x.dim() == axes + 1 else x.movedim(-1, 1) if x.dim() == axes + 2 else x
    x = x.detach().cpu() if x.dtype == torch.uint8 or not x.is_floating_point() else x.detach().cpu().float()
    expected, got = _form(card, x), [*x.shape[1:], str(x.dtype)[6:]]
    if got != expected:
        raise refuse("images", f"{_kind(card)} {expected} as in training", got, "Resize or convert them.")
    return x


def _form(card: dict[str, Any], x: Tensor) -> list[Any]:
    """Channels, sides and type of the images that a model takes; one that is trained on patches takes any sides."""
    axes = dimensions_of(card)
    any_sides = card.get("patch") is not None and x.dim() == axes + 2
    return [card["channels"], *(x.shape[2:] if any_sides else [card["side"]] * axes), card["pixels"]]


def _kind(card: dict[str, Any]) -> str:
    return "images (C, H, W)" if dimensions_of(card) == 2 else "volumes (C, D, H, W)"


def _smallest(prediction: Tensor, classes: int) -> NDArray[Any]:
    """The predictions in the smallest type that holds every class."""
    return prediction.numpy().astype(np.min_scalar_type(max(1, classes - 1)))


def read_images(path: Path, card: dict[str, Any]) -> Tensor:
    """The images of an npz file (N, C, H, W); raises `UserError` where they are not of the model's form.

    card: of the model, as `fedmed.inference.model_card` reads it.
    """
    with open_npz(path, "images") as archive:
        key = next((key for key in KEYS if key in archive.keys), None)
        if key is None:
            raise archive.fault("images", "an array named images", ", ".join(archive.keys), "Rename the array.")
        volumes = dimensions_of(card) == 3
        x = torch.from_numpy(np.ascontiguousarray(read_pixels(archive, key, volumes=volumes)))
        expected, got = _form(card, x), [*x.shape[1:], str(x.dtype)[6:]]
        if got != expected:
            raise archive.fault(key, f"{_kind(card)} {expected} as in training", got, "Resize or convert them.")
    return x
