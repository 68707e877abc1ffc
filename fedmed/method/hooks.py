"""Calls the hooks of methods and checks what they return: every error names the method and the hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from torch import Tensor

from fedmed.checks import MismatchError, check_alike, check_finite, check_named
from fedmed.errors import UserError, refuse
from fedmed.method.client import Client
from fedmed.method.server import Server
from fedmed.models.net import Net

T = TypeVar("T")
Payload = Mapping[str, Tensor]
PassedBatch = tuple[Tensor, Tensor, Tensor | None]


def call_hook(member: str, hook: Callable[..., T], *given: Any) -> T:
    """Calls the hook and returns its result; an exception says whose hook raised it and in which round."""
    try:
        return hook(*given)
    except UserError as error:
        if not isinstance(given[0], Client | Server):
            raise
        place = _place(member, hook, given[0])
        raise UserError(*(replace(fault, where=f"{place}, {fault.where}") for fault in error.faults)) from error
    except Exception as error:
        error.add_note(f"fedmed: in {_place(member, hook, given[0])}")
        raise


def _place(member: str, hook: Callable[..., Any], caller: object) -> str:
    return f"{member}.{hook.__name__}" + (f", round {caller.round}" if isinstance(caller, Server) else "")


def checked_scalar(value: object, where: str) -> Tensor | float:
    """The value as a loss term. Raises `UserError` naming `where` for anything but a number or a tensor of one."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return value if value.dim() == 0 else value.reshape(())
    if isinstance(value, float | int):
        return value
    got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
    raise refuse(where, "a scalar", got, "Return a mean or a sum.")


def checked_tensors(value: object, where: str) -> Payload:
    """The value as named finite tensors. Raises `UserError` naming `where` for anything else."""
    try:
        check_named(value, "what it returns")
        found: Payload = value  # type: ignore[assignment]
        check_finite(found, "tensors")
    except MismatchError as error:
        raise refuse(where, error.expected, error.got, "Return {} for nothing.") from error
    return found


def checked_net(value: object, where: str) -> Net:
    """A net with features and a head. Raises `UserError` naming `where` for anything else."""
    if isinstance(value, Net):
        return value
    got, fix = type(value).__name__, "Add parts to the net that is given and return it, or Net(features, head)."
    raise refuse(where, "a Net with features and a head", got, fix)


def checked_logits(value: object, images: int, where: str) -> Tensor:
    """The value as logits (B, K, ...) of B = `images`. Raises `UserError` naming `where` for anything else."""
    if isinstance(value, Tensor) and value.dim() > 1 and len(value) == images:
        return value
    got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
    raise refuse(where, f"logits of {images} images", got, "Return what net(x) gives, or its like.")


def checked_numbers(value: object, where: str) -> dict[str, float]:
    """The value as numbers by name. Raises `UserError` naming `where` for anything else."""
    try:
        return {str(name): float(number) for name, number in value.items()}  # type: ignore[attr-defined]
    except Exception as error:
        raise refuse(where, "a dict of numbers by name", type(value).__name__, "Return {} for nothing.") from error


def checked_weights(value: object, reports: int, where: str) -> Tensor:
    """The value as weights (K,) of K reports. Raises `UserError` naming `where` for all else, and for a sum of 0."""
    if not isinstance(value, Tensor) or value.shape != (reports,):
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise refuse(where, f"a tensor with a weight for each of {reports} reports", got, "See Method.weights.")
    if not (total := value.sum()).isfinite() or not total:
        fix = "At least one client has to count, and none more than all can add up to."
        raise refuse(where, "weights whose sum is finite and not 0", value.tolist(), fix)
    return value


def checked_batch(value: object, was: PassedBatch, where: str) -> PassedBatch:
    """Images, labels and which count, as many and of the form that they had. Raises `UserError` naming `where`."""
    expected = f"images {_form(was[0])}, labels {_form(was[1])}, and which of them count (or None)"
    if not (isinstance(value, tuple) and len(value) == 3):
        raise refuse(where, expected, type(value).__name__, "Return x, y, seen.")
    x, y, seen = value
    got = f"{_form(x)}, {_form(y)}, {_form(seen)}"
    if not isinstance(x, Tensor) or not isinstance(y, Tensor) or not isinstance(seen, Tensor | None):
        raise refuse(where, expected, got, "Return x, y, seen.")
    if x.dim() != was[0].dim() or x.shape[1] != was[0].shape[1] or len(x) != len(y) or x.dtype != was[0].dtype:
        raise refuse(where, expected, got, "Keep channels and dtype, and a label for each image.")
    return x, y, seen


def _form(value: object) -> str:
    return f"{tuple(value.shape)} {str(value.dtype)[6:]}" if isinstance(value, Tensor) else str(value)


def checked_rows(value: object, clients: int, reports: int, where: str) -> Tensor:
    """How much each report counts for each client (R, K) float64. Raises `UserError` naming `where` otherwise."""
    if not isinstance(value, Tensor) or value.shape != (clients, reports):
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise refuse(where, f"a row for each of {clients} clients with {reports} reports", got, "See Method.split.")
    rows = value.detach().double().cpu()
    if not rows.isfinite().all() or (rows < 0).any():
        fix = "0 leaves a report out; a row of zeros keeps the client's model."
        raise refuse(where, "finite numbers of at least 0", f"{rows.min():g} to {rows.max():g}", fix)
    return rows


def checked_update(value: object, mean: Payload, where: str) -> Payload:
    """New shared weights, shaped as the mean; whole numbers are the mean's. `UserError` naming `where` otherwise."""
    try:
        check_named(value, "the new weights")
        found: Payload = value  # type: ignore[assignment]
        whole = {name: tensor for name, tensor in mean.items() if not tensor.is_floating_point()}
        new = {**found, **{name: tensor for name, tensor in whole.items() if name in found}}
        check_alike(new, mean, "new weights")
        check_finite(new, "new weights", was=mean)
    except MismatchError as error:
        raise refuse(where, error.expected, error.got, "See Method.update.") from error
    return {name: new[name] for name in mean}
