"""Any network for classes of timm (Wightman, PyTorch Image Models, 2019), which comes with an extra."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn

from fedmed import rng
from fedmed.errors import near, refuse
from fedmed.models.net import Model, Net
from fedmed.models.split import split
from fedmed.models.without_torchvision import imported
from fedmed.options.code import words_of

INSTALL = "pip install --no-deps timm && pip install huggingface_hub (timm does without torchvision here)"
FEW = 3
"""How many names of networks an error lists where none is near."""


@dataclass(frozen=True, kw_only=True)
class TimmModel(Model):
    """A network of timm's, by name; features (B, F) before its classifier. Nothing is downloaded.

    Weights begin from the seed, or from a file, model.weights=. Raises `UserError` where timm is not installed or does
    not know the name.

    name: as timm lists them, such as resnet18, convnext_atto or vit_tiny_patch16_224, built for the side of the images.
    dropout: probability of dropping a feature before the head (0 to below 1; 0: none).
    drop_path: probability that an image skips the last residual block; earlier blocks less (0 to below 1; 0: none).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"multiclass", "multilabel"})

    name: str = "resnet18"
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    drop_path: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        timm = _timm()
        if not timm.is_model(self.name):
            known = timm.list_models()
            family = [name for name in known if name.startswith(self.name[:FEW])][:FEW]
            guess = near(self.name, known)
            fix = guess if guess.startswith("Did you mean") else f"For example {', '.join(family or known[:FEW])}."
            raise refuse("model.name", "the name of a network of timm's", self.name, fix)

    def build(self, channels: int, outputs: int, side: int, dimensions: int = 2) -> Net:
        whole = self._whole(channels, outputs, side)
        images = torch.randn((2, channels, side, side), generator=rng.generator(0, "module on trial"))
        _take_a_step(whole, images[:1], self.name)
        return split(whole, images, head=_classifier(whole, self.name))

    def _whole(self, channels: int, outputs: int, side: int) -> nn.Module:
        timm = _timm()
        options: dict[str, Any] = {"in_chans": channels, "num_classes": outputs}
        if self.dropout:
            options["drop_rate"] = self.dropout
        if self.drop_path:
            options["drop_path_rate"] = self.drop_path
        pretrained = timm.get_pretrained_cfg(self.name)
        if pretrained is not None and pretrained.fixed_input_size:
            options["img_size"] = side
        try:
            made: nn.Module = timm.create_model(self.name, pretrained=False, **options)
        except Exception as error:
            fix = "Choose another model.name, leave out its dropout or drop_path, or set dataset.resize."
            got = f"{self.name}, which says: {words_of(error)}"
            raise refuse("model.name", f"a network for images [{channels}, {side}, {side}]", got, fix) from error
        return made


def _timm() -> Any:
    try:
        return imported("timm")
    except ImportError as error:
        raise refuse("model=timm", "the library timm", f"none ({error})", INSTALL) from error


def _take_a_step(whole: nn.Module, image: Tensor, name: str) -> None:
    """Refuses images so small that normalisation has nothing to compare in a batch of one."""
    try:
        with torch.no_grad():
            copy.deepcopy(whole).train()(image)
    except Exception as error:
        side = image.shape[-1]
        fix = f"Set dataset.resize={2 * side}, or choose another model.name."
        got = f"{side}, at which {name} says: {words_of(error)}"
        raise refuse("model", "images large enough for a step on one of them", got, fix) from error


def _classifier(whole: Any, name: str) -> str:
    """The name of the layer that gives the logits, which timm itself knows; a convolution there becomes linear."""
    layer = whole.get_classifier()
    found: list[str] = [each for each, module in whole.named_modules() if module is layer]
    if not found:
        fix = "Choose another, such as the same one without distillation."
        raise refuse("model.name", "a network with one classifier", f"{name}, with {type(layer).__name__}", fix)
    if isinstance(layer, nn.Conv2d):
        whole.set_submodule(found[0], _flat(layer))
    return found[0]


def _flat(layer: nn.Conv2d) -> nn.Module:
    """What a convolution of one pixel computes, on its channels alone."""
    linear = nn.Linear(layer.in_channels, layer.out_channels, bias=layer.bias is not None)
    linear.load_state_dict(
        {name: value.flatten(1) if value.dim() > 1 else value for name, value in layer.state_dict().items()}
    )
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), linear=linear))
