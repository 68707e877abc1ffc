"""What a run consists of, read from the source of `fedmed.experiment` without importing it, as torch takes long."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedmed.options.annotations import last_name, read_literal
from fedmed.options.fields import Field
from fedmed.options.option_group import OptionGroup
from fedmed.options.source import parse, read_fields

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Group:
    """A choice that a run makes, and where its options are.

    base: their base class; base_in: the module that defines it. default: the class that is chosen by default; empty
    where it depends on other choices. See `OptionGroup` for the rest.
    """

    name: str
    module: str
    base: str
    base_in: str
    default: str
    by_file: bool
    plural: str
    also: str


def _experiment() -> tuple[dict[str, Field], dict[str, dict[str, Field]], dict[str, Group]]:
    """Fields of the experiment: its own settings, settings of its parts by the name of the part, and its groups."""
    tree = parse(PACKAGE / "experiment.py")
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    modules = {alias.name: str(node.module) for node in imports for alias in node.names}
    groups: dict[str, Group] = {}
    parts: dict[str, dict[str, Field]] = {}
    experiment = _class(tree, "Experiment")
    for item in experiment.body:
        match item:
            case ast.AnnAssign(ast.Name(name), ast.Subscript(_, ast.Tuple([base, ast.Call() as choice])), default):
                if last_name(choice.func) == "OptionGroup":
                    groups[name] = _group(name, base, choice, default, modules)
            case ast.AnnAssign(ast.Name(name), ast.Name(cls), ast.Call()):
                file = PACKAGE.joinpath(*modules[cls].split(".")[1:]).with_suffix(".py")
                parts[name] = _by_name(_class(parse(file), cls))
    return _by_name(experiment, apart={*groups, *parts}), parts, groups


def _group(name: str, base: ast.expr, choice: ast.Call, default: ast.expr | None, modules: Mapping[str, str]) -> Group:
    where = OptionGroup(*map(read_literal, choice.args), **{str(k.arg): read_literal(k.value) for k in choice.keywords})
    cls = last_name(base.left if isinstance(base, ast.BinOp) else base)
    chosen = last_name(default.func) if isinstance(default, ast.Call) else where.default
    return Group(
        name=name,
        module=where.module,
        base=cls,
        base_in=modules[cls].removeprefix("fedmed."),
        default=chosen,
        by_file=where.by_file,
        plural=where.plural or f"{name}s",
        also=where.also,
    )


def _class(tree: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)


def _by_name(node: ast.ClassDef, apart: set[str] | None = None) -> dict[str, Field]:
    return {field.name: field for field in read_fields(node, apart=apart or set())}


SETTINGS, PARTS, GROUPS = _experiment()
"""Settings of a run by name; settings of its parts, such as the optimizer, by part and name; groups by name."""

POLICIES = Group(
    name="policy",
    module="scheduling.policies",
    base="Policy",
    base_in="scheduling.policy",
    default="DPBalance",
    by_file=True,
    plural="policies",
    also="",
)
"""Scheduling policies: a choice of `fedmed schedule`, and of no run."""
