"""Options: one class in one file each, read from its source with `ast` and never imported.

Reading is why `fedmed --help` and `fedmed list` answer at once (importing torch alone takes a second), and why a user's
broken file cannot stop anybody else's run.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fedmed.errors import visible
from fedmed.options.annotations import last_name, read_literal, read_type
from fedmed.options.fields import REQUIRED, Field, read_docstring


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a group, such as `fedprox` of `strategy`.

    target: what to build: `fedmed.strategies.fedprox.FedProx`, or `/path/to/file.py:Class` for a user's own file.
    task: what its class declares as its class variable `task`; empty where nothing.
    """

    name: str
    group: str
    target: str
    summary: str
    fields: tuple[Field, ...]
    file: Path
    task: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """An option that cannot be used, and why."""

    name: str
    group: str
    file: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """What options of one group look like in a file.

    base: name of the base class. inherited: the fields that the base class declares. also: name of another base class.
    parents: options that others may derive from.
    """

    group: str
    base: str
    inherited: tuple[Field, ...] = ()
    also: str = ""
    parents: tuple[Option, ...] = ()

    @property
    def bases(self) -> set[str]:
        """Names of the classes that options derive from, beside their parents."""
        return {self.base, self.also} - {""}

    def parent(self, node: ast.ClassDef) -> Option | None:
        """The option that a class derives from; None where it derives from the base class only."""
        names = {last_name(base) for base in node.bases}
        return next((parent for parent in self.parents if _class_of(parent) in names), None)


def _class_of(option: Option) -> str:
    return re.split(r"[.:]", option.target)[-1]


def snake(name: str) -> str:
    """`MissingLabels` as `missing_labels`, `IID` as `iid`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def named(target: str, base: str) -> str:
    """The option of a target: by its class where several share a file (and end in `base`), else by its file."""
    *_, module, name = re.split(r"\.py:|[.:/]", target)
    cut = name.removesuffix(base)
    return snake(cut) if cut != name else module


def read_base(files: Iterator[Path] | list[Path], base: str) -> tuple[Field, ...]:
    """The fields that the base class of a group declares, from the first of the files that holds it."""
    for file in files:
        for node in parse(file).body:
            if isinstance(node, ast.ClassDef) and node.name == base:
                return _base_fields(node)
    return ()


@cache
def _base_fields(node: ast.ClassDef) -> tuple[Field, ...]:
    return tuple(read_fields(node, inherited=True))


def read_classes(file: Path, source: Source) -> dict[str, ast.ClassDef]:
    """The classes of a file that derive from a base or a parent of the group; raises SyntaxError or OSError."""
    tree = parse(file)
    if _is_anothers(source.base, tree):
        return {}
    parents, known = {_class_of(parent) for parent in source.parents}, _imported_from_fedmed(tree)
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(
            last_name(base) in source.bases or (last_name(base) in parents and _root(base) in known)
            for base in node.bases
        )
    }


@cache  # `parse` has one node for each version of a file
def read_option(node: ast.ClassDef, source: Source, *, name: str, target: str, file: Path) -> Option:
    """One option from its class; raises ValueError where a field is not of the forms that options may use."""
    parent = source.parent(node)
    inherited = source.inherited if parent is None else parent.fields
    fields = {field.name: field for field in (*inherited, *read_fields(node))}
    summary = visible(read_docstring(ast.get_docstring(node))[0])
    task = _task(node) or ("" if parent is None else parent.task)
    return Option(name, source.group, target, summary, tuple(fields.values()), file, task)


def defines(file: Path, name: str) -> bool:
    """Whether a file defines a function, a class or a value of that name; raises SyntaxError or OSError."""
    return any(name in _defined_by(node) for node in parse(file).body)


def sources(file: Path) -> list[Path]:
    """The source files of an option: its own, then the private modules beside it that it imports, by name.

    A private module is a `_name.py` in the same folder, which discovery skips; what such modules import of one another
    counts too. A file that cannot be read or parsed stands for itself.
    """
    found, left = {file}, [file]
    while left:
        new = _private_imports(left.pop()) - found
        found |= new
        left += new
    return [file, *sorted(found - {file})]


def _private_imports(file: Path) -> set[Path]:
    try:
        nodes = list(ast.walk(parse(file)))
    except (SyntaxError, OSError):
        return set()
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    names |= {node.module for node in imports if isinstance(node, ast.ImportFrom) and node.module}
    private = {last for name in names if (last := name.rpartition(".")[2]).startswith("_")}
    return {path for name in private if (path := file.with_name(f"{name}.py")).is_file()}


def _defined_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def parse(file: Path) -> ast.Module:
    """The syntax tree of a file, parsed once for each version of the file."""
    return _parse_version(file, file.stat().st_mtime_ns)


@cache
def _parse_version(file: Path, changed: int) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except (ValueError, MemoryError, RecursionError) as error:  # null bytes; brackets without end
        raise SyntaxError(str(error) or type(error).__name__) from error


def _is_anothers(base: str, tree: ast.Module) -> bool:
    """Whether a file imports a base class of that name from another library: torch has a Dataset too."""
    return any(
        not node.level and str(node.module).partition(".")[0] != "fedmed"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and any((name.asname or name.name) == base for name in node.names)
    )


def _imported_from_fedmed(tree: ast.Module) -> set[str]:
    """Names that a file has from fedmed: a net of MONAI's may be called as one of ours."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and not node.level and str(node.module).partition(".")[0] == "fedmed":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or "fedmed" for alias in node.names if alias.name.partition(".")[0] == "fedmed"}
    return names


def _root(node: ast.expr) -> str:
    """`a` of `a.b.C`, and of `a` alone."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def read_fields(node: ast.ClassDef, *, inherited: bool = False, apart: Collection[str] = ()) -> Iterator[Field]:
    """The fields of a class; raises ValueError at one that is not of the forms that options may use.

    apart: names of fields that are left out.
    """
    meanings = read_docstring(ast.get_docstring(node))[1]
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not _is_class_variable(item):
            name = item.target.id
            if name in apart or _in_memory(item.value):
                continue
            where = f"{node.name}.{name} (line {item.lineno})"
            yield Field(name, _type(item, where), _default(item, where), visible(meanings.get(name, "")), inherited)


def _task(node: ast.ClassDef) -> str:
    """The text that a class holds as its class variable `task`, which says the task of all that it makes."""
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == "task":
            value = item.value if _is_class_variable(item) else None
            return str(value.value) if isinstance(value, ast.Constant) else ""
    return ""


def _is_class_variable(item: ast.AnnAssign) -> bool:
    node = item.annotation
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.startswith(("ClassVar", "typing.ClassVar"))
    return last_name(node.value if isinstance(node, ast.Subscript) else node) == "ClassVar"


def _in_memory(default: ast.expr | None) -> bool:
    """Whether a field is declared as one that no text can spell: `field(..., metadata=IN_MEMORY)`."""
    keywords = default.keywords if isinstance(default, ast.Call) and last_name(default.func) == "field" else []
    return any(each.arg == "metadata" and last_name(each.value) == "IN_MEMORY" for each in keywords)


def _type(item: ast.AnnAssign, where: str) -> Any:
    try:
        return read_type(item.annotation)
    except ValueError as error:
        text = _text(item.annotation)
        raise ValueError(f"{where}: the type {text} is not one that options may have ({error})") from error


def _default(item: ast.AnnAssign, where: str) -> Any:
    if item.value is None:
        return REQUIRED
    try:
        return read_literal(item.value)
    except ValueError as error:
        raise ValueError(f"{where}: the default {_text(item.value)} is not a literal") from error


def _text(node: ast.expr) -> str:
    """The source of an expression, on one line and not without end."""
    try:
        return textwrap.shorten(ast.unparse(node), 100, placeholder=" ...")
    except RecursionError:
        return "(a very deep expression)"
