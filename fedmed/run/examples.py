"""A few images that a run keeps for its report, chosen by the world alone, so that methods show the same ones."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedmed.client import ClientRequest, Trainer
from fedmed.data.batches import evaluation_slices
from fedmed.data.examples import Examples
from fedmed.data.slices import at_slices, telling_slices
from fedmed.data.world import Share
from fedmed.flower import ServerState
from fedmed.method import Client, Scope
from fedmed.run.parts import Parts
from fedmed.rundir.checkpoint import Checkpoint
from fedmed.rundir.kept_images import ImagePanel, KeptImages, save

MOST, ROOM, SIDE = 6, 48_000, 128
"""Images of one panel, bytes of their pixels in the file, and the side above which pixels are left out."""

SEARCHED = 500
"""Test images, evenly spaced, among which mistakes are looked for."""

CLIENTS = 3
"""Clients whose training images are shown."""


def keep_examples(parts: Parts, folder: Path, saved: Checkpoint) -> None:
    """Writes examples.npz; a run is worth its result without it, so what goes wrong is a warning."""
    try:
        if shown := _shown(parts, saved):
            save(shown, folder)
    except Exception as error:
        warnings.warn(f"no example images were kept: {type(error).__name__}: {error}", stacklevel=2)


def _shown(parts: Parts, saved: Checkpoint) -> KeptImages | None:
    """What can be shown: nothing without test images, or where no model is at hand that predicts on them."""
    training = _training(parts, saved)
    local, test = parts.personal, parts.world.test
    if not len(test) or (local and not parts.experiment.engine.simulates):
        predicted: dict[str, ImagePanel | None] = {}
    else:
        first = parts.trainer.receive(_request(parts, saved, 0)) if local else None
        if first is None:
            parts.trainer.load(saved.shared)
        predicted = _test(parts.trainer, test, first)
    if training is None and not predicted:
        return None
    client = 0 if local else None
    return KeptImages(kind=parts.task.kind, names=parts.task.names, client=client, training=training, **predicted)


def _request(parts: Parts, saved: Checkpoint, client: int) -> ClientRequest:
    """What the client would get if there were one more round."""
    server = ServerState()
    server.restore(saved.round, saved.server)
    shared, inbox = server.model_of(client, saved.shared)
    return ClientRequest(
        client=client,
        round=saved.round,
        rounds=parts.experiment.rounds,
        shared=shared,
        inbox=inbox,
        state=saved.clients.get(client, {}),
    )


def _test(trainer: Trainer, test: Examples, client: Client | None) -> dict[str, ImagePanel | None]:
    kind, count = trainer.task.kind, _room(test)
    rows = _spread(_ranking(test.y, kind), count)
    if kind == "segmentation":
        return {"test": _panel(test, rows, _predicted(trainer, test, rows, client))}
    searched = _spread(np.arange(len(test)), SEARCHED)
    every = np.union1d(searched, rows)
    predicted = dict(zip(every.tolist(), _predicted(trainer, test, every, client), strict=True))
    confidence = np.array([_confidence(predicted[row], test[torch.tensor([row])], kind) for row in searched.tolist()])
    worst = searched[np.argsort(-confidence, kind="stable")[: min(count, int((confidence > 0).sum()))]]
    shown = {name: np.array([predicted[row] for row in of.tolist()]) for name, of in (("test", rows), ("bad", worst))}
    mistakes = _panel(test, worst, shown["bad"]) if len(worst) else None
    return {"test": _panel(test, rows, shown["test"]), "mistakes": mistakes}


def _ranking(y: Tensor, kind: str) -> NDArray[np.int64]:
    """Rows by class, by number of findings, or by size of the foreground where there is any."""
    if kind == "multiclass":
        return np.argsort(y.numpy(), kind="stable")
    size = (y > 0).flatten(1).sum(1).numpy()
    order = np.argsort(size, kind="stable")
    return order[size[order] > 0] if kind == "segmentation" and size.any() else order


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of the rows, evenly spaced, each in the middle of its stretch."""
    if len(rows) <= count:
        return rows
    return rows[((np.arange(count) + 0.5) * len(rows) / count).astype(np.int64)]


def _predicted(trainer: Trainer, images: Examples, rows: NDArray[np.int64], client: Client | None) -> NDArray[Any]:
    """Probabilities (n, C) as float16, or classes (n, H, W) or (n, D, H, W), by the resident net as it stands."""
    part, trained = images[torch.from_numpy(rows)], trainer.net.training
    scope: Scope = "test" if client is None else "client"
    trainer.net.eval()
    found = []
    with torch.no_grad():
        for span in evaluation_slices(part):
            p = trainer.task.probabilities(trainer.predicted(part[span], scope, client)).cpu()
            found.append(p.argmax(1).to(torch.uint8) if trainer.task.kind == "segmentation" else p.half())
    trainer.net.train(trained)
    return torch.cat(found).numpy()


def _confidence(p: NDArray[np.float16], image: Examples, kind: str) -> float:
    """Probability of the wrong class that is predicted, or the furthest from a known finding; 0 if nothing is wrong."""
    if kind == "multiclass":
        return 0.0 if int(p.argmax()) == int(image.y) else float(p.max())
    known = 1.0 if image.seen is None else image.seen[0].numpy()
    away = np.abs(p.astype(float) - image.y[0].numpy()) * known
    return float(away.max()) if away.max() > 0.5 else 0.0


class _Chosen(NamedTuple):
    """Rows of a client's training images."""

    client: int
    rows: NDArray[np.int64]


def _training(parts: Parts, saved: Checkpoint) -> ImagePanel | None:
    """Training images whose annotation differs from the truth; None where nobody's does, or where it is not known."""
    chosen = _annotated_badly(parts.world.shares)
    if not chosen:
        return None
    panels = [_client_panel(parts, saved, *each) for each in chosen]
    names = [name for name in ImagePanel.__slots__ if getattr(panels[0], name) is not None]
    return ImagePanel(**{name: np.concatenate([getattr(panel, name) for panel in panels]) for name in names})


def _annotated_badly(shares: Sequence[Share]) -> list[_Chosen]:
    """The clients whose labels differ most from the truth, in order, and there the images that do."""
    wrong = {client: _differences(share) for client, share in enumerate(shares) if share.truth is not None}
    worst = sorted((client for client, found in wrong.items() if found.any()), key=lambda c: -wrong[c].mean())[:CLIENTS]
    count = max(1, _room(shares[0].train) // max(1, len(worst)))
    return [_Chosen(client, np.argsort(-wrong[client], kind="stable")[:count]) for client in sorted(worst)]


def _differences(share: Share) -> NDArray[np.float64]:
    """Per training image, how many entries are annotated otherwise than they are (N,)."""
    assert share.truth is not None
    given, truth, seen = share.train.y, share.truth, share.train.seen
    wrong = given != truth if seen is None else ((given != truth) & seen) | ((truth > 0) & ~seen)
    return wrong.reshape(len(wrong), -1).sum(1).numpy().astype(np.float64)


def _client_panel(parts: Parts, saved: Checkpoint, client: int, rows: NDArray[np.int64]) -> ImagePanel:
    share, index = parts.world.shares[client], torch.from_numpy(rows)
    assert share.truth is not None
    given = share.train[index]
    truth = share.truth[index]
    slices = telling_slices(given.x, truth)
    labels = _labels("given", given, slices)
    if parts.experiment.engine.simulates and any(method.relabels for method in parts.chain.members.values()):
        labels |= _labels("corrected", _in_force(parts.trainer, _request(parts, saved, client))[index], slices)
    true, owner = _thin(at_slices(truth.numpy(), slices)), np.full(len(rows), client)
    x = _pixels(given.x.numpy(), slices)
    return ImagePanel(index=rows, x=x, truth=true, client=owner, slices=slices, **labels)


def _in_force(trainer: Trainer, request: ClientRequest) -> Examples:
    """The client's training images with the labels that its methods would put in force."""
    client = trainer.receive(request)
    trainer.net.train()
    trainer.chain.prepare(client)
    return Examples(client.given.x.cpu(), client.train.y.cpu(), _processor(client.train.seen))


def _labels(name: str, examples: Examples, slices: NDArray[np.int64] | None) -> dict[str, NDArray[Any]]:
    seen = {} if examples.seen is None else {f"{name}_seen": examples.seen.expand_as(examples.y).numpy()}
    return {key: _thin(at_slices(values, slices)) for key, values in ({name: examples.y.numpy()} | seen).items()}


def _processor(seen: Tensor | None) -> Tensor | None:
    return None if seen is None else seen.cpu()


def _panel(test: Examples, rows: NDArray[np.int64], predicted: NDArray[Any]) -> ImagePanel:
    part = test[torch.from_numpy(rows)]
    slices = telling_slices(part.x, part.y)
    truth, said = (_thin(at_slices(each, slices)) for each in (part.y.numpy(), predicted))
    return ImagePanel(index=rows, x=_pixels(part.x.numpy(), slices), truth=truth, predicted=said, slices=slices)


def _room(examples: Examples) -> int:
    """How many images a panel has room for, if all are as large as the first ones: two at least."""
    some = examples[:MOST]
    first = _pixels(some.x.cpu().numpy(), telling_slices(some.x, some.y))
    size = len(zlib.compress(first.tobytes(), 6)) / max(1, len(first))
    return int(min(MOST, max(2, ROOM // max(1, size))))


def _thin(values: NDArray[Any]) -> NDArray[Any]:
    """Images (n, ..., H, W) of at most 128 pixels a side; labels of whole images as they are."""
    if values.ndim < 3:
        return values
    step = max(1, -(-values.shape[-1] // SIDE))
    return values[..., ::step, ::step]


def _pixels(x: NDArray[Any], slices: NDArray[np.int64] | None) -> NDArray[np.uint8]:
    """Images, or slices of volumes, as bytes; of float pixels each image from its darkest to its brightest."""
    images: NDArray[Any] = _thin(at_slices(x, slices))
    if images.dtype == np.uint8:
        return images
    low, high = (of(images, axis=(1, 2, 3), keepdims=True) for of in (np.min, np.max))
    scaled: NDArray[np.uint8] = (255 * (images - low) / np.maximum(high - low, 1e-12)).astype(np.uint8)
    return scaled
