"""Using a trained model: as a file of weights, and on images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.checks import MismatchError, check_finite
from fedmed.config.build import build_option
from fedmed.config.stored import check_code, check_values, read_stored
from fedmed.config.values import Config
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.npz.opening import open_npz
from fedmed.data.npz.pixels import read_pixels
from fedmed.errors import refuse
from fedmed.files import replacing, write_atomically
from fedmed.inference.model_card import read_card
from fedmed.models.net import Net
from fedmed.models.start import create
from fedmed.rundir import checkpoint
from fedmed.rundir.directory import RunDirectory
from fedmed.rundir.tensors import pack_weights

Images = str | Path | NDArray[Any] | Tensor
"""Images to predict: the path of an npz file, an array, or a tensor."""

KEYS = ("images", "test_images")
"""Where an npz file of images to predict may keep them, the first that is there."""


def export(directory: Path, out: Path | None = None, *, best: bool = False) -> Path:
    """Writes the global model's shared weights as safetensors, to start from with model.weights=; the path written.

    out: None for weights.safetensors in the run directory. best: of the best round by validation, not the last.
    """
    out = out or directory / "weights.safetensors"
    write_atomically(out, pack_weights(_weights(RunDirectory.open(directory), best=best)))
    return out


def predict(
    directory: Path,
    images: Path,
    out: Path | None = None,
    *,
    best: bool = False,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Path:
    """Writes the global model's probabilities and predictions, and its classes' names, for images as npz; its path.

    images: npz with `images` (N, H, W) or (N, H, W, C) of the size that the model was trained on.
    out: None for predictions.npz in the run directory. trusted: files and folders with code that the run may import,
    beside that of fedmed and of the user's own folders; `say` is told which. Raises `UserError` where model or images
    do not fit.
    """
    found = predict_images(directory, images, best=best, trusted=trusted, say=say)
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
    (N, H, W), or for multi-label whether each is above one half (N, L). class_names: in order; empty where unknown.
    """

    probabilities: NDArray[np.float32]
    prediction: NDArray[Any]
    class_names: tuple[str, ...]


def predict_images(
    directory: Path,
    images: Images,
    *,
    best: bool = False,
    trusted: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Prediction:
    """What a run's global model says of images: those of a file as for `predict`, an array or a tensor.

    images: arrays are (N, H, W) or (N, H, W, C), tensors (N, C, H, W). See `predict` for the rest.
    """
    kept, config = RunDirectory.open(directory), read_stored(directory)
    for code in check_code(config, directory, trusted, groups=("model",)):
        say(f"{directory} imports {code}")
    check_values(config, directory, ("model", "seed"))
    card, task, normalise = read_card(directory)
    x = read_images(Path(images), card) if isinstance(images, str | Path) else _given_images(images, card)
    net = _net(kept, config, card, task.outputs, best=best)
    with torch.no_grad():
        parts = [task.probabilities(net(normalise(x[rows]))) for rows in evaluation_slices(Examples(x, x))]
    probabilities = torch.cat(parts)
    prediction = probabilities > 0.5 if task.kind == "multilabel" else probabilities.argmax(1)
    return Prediction(probabilities.numpy(), _smallest(prediction, task.classes), tuple(task.names))


def _given_images(images: NDArray[Any] | Tensor, card: dict[str, Any]) -> Tensor:
    """Images in memory as (N, C, H, W); raises `UserError` where they are not of the model's form."""
    x = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
    if not isinstance(images, Tensor):
        x = x[:, None] if x.dim() == 3 else x.movedim(-1, 1) if x.dim() == 4 else x
    x = x.detach().cpu() if x.dtype == torch.uint8 or not x.is_floating_point() else x.detach().cpu().float()
    expected, got = [card["channels"], card["side"], card["side"], card["pixels"]], [*x.shape[1:], str(x.dtype)[6:]]
    if got != expected:
        raise refuse("images", f"images (C, H, W) {expected} as in training", got, "Resize or convert them.")
    return x


def _smallest(prediction: Tensor, classes: int) -> NDArray[Any]:
    """The predictions in the smallest type that holds every class."""
    return prediction.numpy().astype(np.min_scalar_type(max(1, classes - 1)))


def _weights(kept: RunDirectory, *, best: bool) -> dict[str, Tensor]:
    """The shared weights of a run; `UserError` where there are none, or they are not finite."""
    weights = _kept_weights(kept, best=best)
    try:
        check_finite(weights, "weights of a model")
    except MismatchError as error:
        fix = "The run diverged: train it anew with a lower optimizer.lr."
        raise refuse(str(kept.path), error.expected, error.got, fix) from error
    return weights


def _kept_weights(kept: RunDirectory, *, best: bool) -> dict[str, Tensor]:
    if best:
        if (found := checkpoint.load_best(kept.checkpoints)) is not None:
            return found[1]
        fix = "Leave out --best for the last round; a best round needs dataset.val above 0 and client among the scopes."
        raise refuse(str(kept.path), "a run with a best round by validation", "one without validation", fix)
    saved = checkpoint.load(kept.checkpoints)
    if saved is None:
        raise refuse(
            str(kept.path), "a run with a checkpoint", "none", f"Run it: fedmed run {quote(f'resume={kept.path}')}"
        )
    if not saved.shared:
        raise refuse(str(kept.path), "a run whose clients share weights", "one that shares none", "See strategy.local.")
    return dict(saved.shared)


def _net(kept: RunDirectory, config: Config, card: dict[str, Any], outputs: int, *, best: bool) -> Net:
    (model,) = map(build_option, config.nodes(["model"]))
    net = create(model, channels=card["channels"], outputs=outputs, side=card["side"], seed=int(config["seed"]))
    weights = _weights(kept, best=best)
    if missing := [name for name in net.state_dict() if name not in weights]:
        fix = f"{missing[0]} and others stayed on the clients."
        raise refuse(str(kept.path), "a run with one global model", "a personalised one", fix)
    net.load_state_dict(weights)
    return net.eval()


def read_images(path: Path, card: dict[str, Any]) -> Tensor:
    """The images of an npz file (N, C, H, W); raises `UserError` where they are not of the model's form.

    card: of the model, as `fedmed.inference.model_card` reads it.
    """
    with open_npz(path, "images") as archive:
        key = next((key for key in KEYS if key in archive.keys), None)
        if key is None:
            raise archive.fault("images", "an array named images", ", ".join(archive.keys), "Rename the array.")
        x = torch.from_numpy(np.ascontiguousarray(read_pixels(archive, key)))
        expected, got = [card["channels"], card["side"], card["side"], card["pixels"]], [*x.shape[1:], str(x.dtype)[6:]]
        if got != expected:
            raise archive.fault(key, f"images (C, H, W) {expected} as in training", got, "Resize or convert them.")
    return x
