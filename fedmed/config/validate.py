"""Everything that can be wrong in a composed config and can be seen before data is read, all faults together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from fedmed.config.discovery import GROUPS, Catalogue, discover, read_given
from fedmed.config.experiment import Experiment, Optimizer
from fedmed.config.fields import REQUIRED, Field, fields_of, fits, show
from fedmed.config.options import Option, defines
from fedmed.errors import Fault, UserError, near

SETTINGS = {field.name: field for field in fields_of(Experiment) if field.name != "optimizer"}
OPTIMIZER = {field.name: field for field in fields_of(Optimizer)}
DEVICES = ("auto", "cpu", "cuda", "cuda:0")
MEANT = {
    "gpu": "A GPU is device=cuda, or device=auto for one where there is one.",
    "mps": "Apple's GPUs are not supported: device=cpu.",
    "tpu": "Only GPUs for CUDA are supported, beside device=cpu.",
    "xpu": "Only GPUs for CUDA are supported, beside device=cpu.",
    "rocm": "torch calls AMD's GPUs cuda: device=cuda.",
}
"""Devices by names that other libraries have for them."""

Values = Mapping[str, Any]


class Section(NamedTuple):
    """A part of the config: where it is (`strategy.fedprox`, empty for the top), its values, and what may be in it."""

    where: str
    values: Values
    fields: Mapping[str, Field]

    def key(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name


def validate(config: DictConfig, catalogue: Catalogue | None = None) -> list[Fault]:
    """Every fault of the config that can be found without reading data; empty where all is well."""
    catalogue = catalogue or discover()
    values: Any = OmegaConf.to_container(config, resolve=True)
    faults = [fault for section in sections(values, catalogue) for fault in _check_section(section)]
    faults += _check_choices(values, catalogue)
    wrong = {fault.where for fault in faults}
    return faults + [fault for fault in _check_together(_sound(values, wrong)) if fault.where not in wrong]


def _sound(values: Values, wrong: Collection[str]) -> Values:
    """All settings; what is missing, as in a config of an earlier version, or wrong is at its default."""

    def sound(held: Values, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
        defaults = {name: field.default for name, field in fields.items()}
        return defaults | {name: value for name, value in held.items() if f"{where}{name}" not in wrong}

    optimizer = values.get("optimizer")
    optimizer = optimizer if isinstance(optimizer, Mapping) else {}
    return sound(values, SETTINGS, "") | {"optimizer": sound(optimizer, OPTIMIZER, "optimizer.")}


def sections(values: Values, catalogue: Catalogue) -> Iterator[Section]:
    """The parts of a config: its settings, its optimizer, and the chosen option of every group."""
    yield Section("", {k: v for k, v in values.items() if k not in GROUPS and k != "optimizer"}, SETTINGS)
    optimizer = values.get("optimizer") or {}
    yield Section("optimizer", optimizer if isinstance(optimizer, Mapping) else {"": optimizer}, OPTIMIZER)
    for where, node in nodes(values):
        if option := option_of(node, catalogue):
            settings = {k: v for k, v in node.items() if k != "_target_"}
            yield Section(where, settings, {field.name: field for field in option.fields})


def nodes(values: Values) -> Iterator[tuple[str, Values]]:
    """The chosen options with where they are: `dataset`, `strategy.fedprox`."""
    for group in GROUPS:
        node = values.get(group)
        if group == "strategy" and isinstance(node, Mapping):
            yield from ((f"strategy.{name}", member) for name, member in node.items() if isinstance(member, Mapping))
        elif isinstance(node, Mapping):
            yield group, node


def option_of(node: Values, catalogue: Catalogue) -> Option | None:
    """The option that a node of the config builds; None where there is none."""
    target = str(node.get("_target_", ""))
    if known := catalogue.of_target(target):
        return known
    for group in GROUPS.values() if ".py:" in target else ():
        try:
            return read_given(target, group)
        except UserError:
            continue
    return None


def _check_section(section: Section) -> Iterator[Fault]:
    for name in sorted(section.values.keys() - section.fields.keys()):
        yield Fault(section.key(name), "an option that exists", show(section.values[name]), near(name, section.fields))
    for name, field in section.fields.items():
        value = section.values.get(name, field.default)
        if value == REQUIRED or not fits(value, field.type):
            yield bad_value(section.key(name), field, value)


def bad_value(where: str, field: Field, value: object) -> Fault:
    """The fault of a value that its field does not take."""
    if value == REQUIRED:
        return Fault(where, field.expected, "nothing", f"Write {where}=... ({field.meaning})")
    hint = "" if field.default == REQUIRED else f"The default is {field.default_text}."
    return Fault(where, field.expected, show(value), hint)


def _check_choices(values: Values, catalogue: Catalogue) -> Iterator[Fault]:
    for group in GROUPS:
        node = values.get(group)
        if not node:
            yield Fault(group, "a choice", "nothing", near("", catalogue.options[group]))
        elif not isinstance(node, Mapping) or (group == "strategy" and not _all_mappings(node.values())):
            yield Fault(group, "a choice with its options", show(node), near("", catalogue.options[group]))
    for where, node in nodes(values):
        if option_of(node, catalogue) is None:
            target = str(node.get("_target_", "nothing"))
            yield Fault(f"{where}._target_", "an option that exists", target, "Put its file back, or choose another.")


def _all_mappings(found: Iterable[object]) -> bool:
    return all(isinstance(each, Mapping) for each in found)


def _check_together(values: Values) -> Iterator[Fault]:
    yield from _check_clients(values)
    yield from _check_sampling(values)
    yield from _check_steps(values)
    yield from _check_device(str(values["device"]))
    yield from _check_optimizer(values["optimizer"])
    for where, text in (("loss", values["loss"]), *(("metrics", text) for text in values["metrics"])):
        if text is not None:
            yield from _check_function(where, text)


def _check_clients(values: Values) -> Iterator[Fault]:
    sampled, clients = values["clients_per_round"], _clients(values)
    if isinstance(sampled, int) and isinstance(clients, int) and sampled > clients:
        fix = f"Sample fewer, or set clients={sampled}."
        yield Fault("clients_per_round", f"at most clients ({clients})", str(sampled), fix)
    there, least = sampled if isinstance(sampled, int) else clients, values["min_clients"]
    if isinstance(there, int) and isinstance(least, int) and least > max(there, 1):
        expected = f"at most {there}, the number of clients in a round"
        yield Fault("min_clients", expected, str(least), "Lower it: else no round could ever count.")


def _clients(values: Values) -> int | None:
    """How many clients there will be; None where only the data can tell."""
    if values["clients"] is None and not _chose(values, "partition", "SitePartition"):
        return 10
    return values["clients"]  # type: ignore[no-any-return]


def _chose(values: Values, group: str, cls: str) -> bool:
    return str((values.get(group) or {}).get("_target_")).endswith(f".{cls}")


def _check_sampling(values: Values) -> Iterator[Fault]:
    sampled, clients = values["clients_per_round"], _clients(values)
    if _chose(values, "sampling", "BySizeSampling") and (sampled is None or sampled == clients):
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
