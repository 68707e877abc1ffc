"""Any module of torch as features and a head: which layer is the head, and proof that nothing follows it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fedmed.errors import near, refuse
from fedmed.models.net import Net
from fedmed.options.code import words_of

FIX = "Name the layer that gives the logits, TorchModel(module=..., head='fc'), and let forward return what it gives."

PROBABILITIES = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid)
"""Layers that make logits something else, which the loss does itself."""


def split(module: nn.Module, images: Tensor, *, head: str = "") -> Net:
    """The module as `head(features(x))`, with its own layers and weights; modules that are not initialised become so.

    images: (B, C, H, W) on which it is tried. head: name of the layer that gives the logits (empty: found, as the
    innermost layer with weights whose output is the module's). Raises `UserError` where there is no such layer, where
    anything follows it, or where the module cannot take the images.
    """
    if isinstance(module, Net):
        return module
    training = module.training
    module.eval()
    logits, giving = _pass(module, images)
    net = _named(module, head) if head else _found(module, giving)
    if not _equal(net, images, logits):
        got = f"{head or giving or 'its last layer'}, after which something else happens in forward"
        raise refuse("model.head", "a layer whose output is the module's output", got, FIX)
    return net.train(training)


def _pass(module: nn.Module, images: Tensor) -> tuple[Tensor, str]:
    """What the module gives for images, and the name of the layer with weights that gave it; empty where none did."""
    outputs: dict[str, object] = {}

    def note(name: str, layer: nn.Module) -> None:
        def keep(_: nn.Module, given: object, output: object) -> None:
            outputs[name] = output

        handles.append(layer.register_forward_hook(keep))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name, layer in module.named_modules():
        if name:
            note(name, layer)
    try:
        with torch.no_grad():
            logits = module(images)
    except Exception as error:
        fix = "TorchModel(module=function), with a function of (channels, outputs), makes one that fits any images."
        raise refuse("model", f"a module for images {_shape(images)}", words_of(error), fix) from error
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(logits, Tensor):
        fix = "Wrap it in a module whose forward returns the logits alone."
        raise refuse("model", "a module that returns one tensor of logits", type(logits).__name__, fix)
    giving = [name for name, output in outputs.items() if output is logits and _weighted(module.get_submodule(name))]
    return logits, giving[0] if giving else ""  # a hook of an inner layer runs before those around it


def _named(module: nn.Module, head: str) -> Net:
    """The module split at the layer of that name, in whose place it does nothing."""
    names = [name for name, _ in module.named_modules() if name]
    if head not in names:
        raise refuse("model.head", "the name of a layer of the module", head, near(head, names))
    layer = module.get_submodule(head)
    above, _, name = head.rpartition(".")
    setattr(module.get_submodule(above), name, nn.Identity())
    return Net(module, layer)


def _found(module: nn.Module, giving: str) -> Net:
    if giving:
        return _named(module, giving)
    if isinstance(module, nn.Sequential) and (cut := _cut(module)) is not None:
        before, after = cut
        if any(isinstance(layer, PROBABILITIES) for layer in after):
            raise refuse("model", "logits", f"probabilities, by {type(after[-1]).__name__}", "Leave that layer out.")
        return Net(nn.Sequential(*before), nn.Sequential(*after))
    raise refuse("model.head", "a layer with weights whose output is the module's output", "none", FIX)


def _cut(module: nn.Sequential) -> tuple[list[nn.Module], list[nn.Module]] | None:
    """Layers before the last one with weights, and those from it on; None where that one is not of a single layer."""
    layers = list(module)
    last = next((at for at in reversed(range(len(layers))) if _weighted(layers[at])), None)
    if last is None:
        return None
    if not isinstance(inner := layers[last], nn.Sequential):
        return None if list(inner.children()) else (layers[:last], layers[last:])
    found = _cut(inner)
    return None if found is None else ([*layers[:last], *found[0]], [*found[1], *layers[last + 1 :]])


def _equal(net: Net, images: Tensor, logits: Tensor) -> bool:
    try:
        with torch.no_grad():
            found = net(images)
    except Exception:  # what followed the head does not fit its input
        return False
    return found.shape == logits.shape and torch.allclose(found, logits, rtol=1e-4, atol=1e-5, equal_nan=True)


def _weighted(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _shape(images: Tensor) -> str:
    return f"(B, {', '.join(map(str, images.shape[1:]))})"
