"""What settings of a run must be together, whatever each is alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedmed.errors import Fault, near
from fedmed.options.fields import show
from fedmed.options.groups import SETTINGS
from fedmed.options.source import defines

Values = Mapping[str, Any]

DEVICES = ("auto", "cpu", "cuda", "cuda:0")
MEANT = {
    "gpu": "A GPU is device=cuda, or device=auto for one where there is one.",
    "mps": "Apple's GPUs are not supported: device=cpu.",
    "tpu": "Only GPUs for CUDA are supported, beside device=cpu.",
    "xpu": "Only GPUs for CUDA are supported, beside device=cpu.",
    "rocm": "torch calls AMD's GPUs cuda: device=cuda.",
}
"""Devices by names that other libraries have for them."""


def conflicts(values: Values, chosen: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of settings that do not go together, none of which is wrong alone.

    values: all settings by name, the optimizer's as a mapping. chosen: the class of each group's option by its name.
    """
    yield from _check_clients(values, chosen)
    yield from _check_sampling(values, chosen)
    yield from _check_steps(values)
    yield from _check_device(str(values["device"]))
    yield from _check_optimizer(values["optimizer"])
    for where, text in (("loss", values["loss"]), *(("metrics", text) for text in values["metrics"])):
        if text is not None:
            yield from _check_function(where, text)


def _check_clients(values: Values, chosen: Mapping[str, str]) -> Iterator[Fault]:
    sampled, clients = values["clients_per_round"], _clients(values, chosen)
    if isinstance(sampled, int) and isinstance(clients, int) and sampled > clients:
        fix = f"Sample fewer, or set clients={sampled}."
        yield Fault("clients_per_round", f"at most clients ({clients})", str(sampled), fix)
    there, least = sampled if isinstance(sampled, int) else clients, values["min_clients"]
    if isinstance(there, int) and isinstance(least, int) and least > max(there, 1):
        expected = f"at most {there}, the number of clients in a round"
        yield Fault("min_clients", expected, str(least), "Lower it: else no round could ever count.")


def _clients(values: Values, chosen: Mapping[str, str]) -> int | None:
    """How many clients there will be; None where only the data can tell."""
    if values["clients"] is None and chosen.get("partition") != "SitePartition":
        return 10
    return values["clients"]  # type: ignore[no-any-return]


def _check_sampling(values: Values, chosen: Mapping[str, str]) -> Iterator[Fault]:
    sampled, clients = values["clients_per_round"], _clients(values, chosen)
    if chosen.get("sampling") == "BySizeSampling" and (sampled is None or sampled == clients):
        got = f"{show(sampled)} of {clients or 'one per site'}, with sampling=by_size"
        fix = "Ask fewer than there are, or set sampling=uniform."
        yield Fault("clients_per_round", "fewer than all clients, as drawing all of them is no choice", got, fix)


def _check_steps(values: Values) -> Iterator[Fault]:
    if values["local_steps"] is not None and values["epochs"] != SETTINGS["epochs"].default:
        got = f"epochs={values['epochs']} and local_steps={values['local_steps']}"
        yield Fault("local_steps", "epochs or local_steps, not both", got, "Leave one of them out.")
    if values["patience"] is not None and "client" not in values["scopes"]:
        fix = "Add client to scopes: a better round is one with better validation at the clients."
        yield Fault("patience", "client among scopes", show(values["scopes"]), fix)


def _check_device(name: str) -> Iterator[Fault]:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        meant = MEANT.get(name.lower())
        fix = f"{meant or near(name, DEVICES)} fedmed doctor shows which there are."
        yield Fault("device", "auto, cpu, cuda or cuda:<number>", name, fix)


def _check_optimizer(optimizer: Values) -> Iterator[Fault]:
    if optimizer["name"] != "sgd" and optimizer["momentum"]:
        got = f"{show(optimizer['momentum'])} with {optimizer['name']}"
        yield Fault("optimizer.momentum", "0, as only sgd has momentum", got, "Set optimizer.name=sgd.")
    if (optimizer["schedule"] == "steps") != bool(optimizer["milestones"]):
        got = f"{show(optimizer['milestones'])} with optimizer.schedule={optimizer['schedule']}"
        yield Fault("optimizer.milestones", "rounds if optimizer.schedule=steps, else none", got, "Give both or none.")


def _check_function(where: str, text: str) -> Iterator[Fault]:
    path, _, name = text.rpartition(":")
    try:
        if not path.endswith(".py") or not defines(Path(path).expanduser(), name):
            fix = f"Write {where}=path/to/file.py:function."
            yield Fault(where, "path/to/file.py:function, defined in that file", text, fix)
    except OSError as error:
        yield Fault(where, "a file that exists", f"{path} ({error.strerror})", "Check the path.")
    except SyntaxError as error:
        yield Fault(where, "a file that parses", f"{error.msg} (line {error.lineno})", f"Mend {path}.")
