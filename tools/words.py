"""The words that an expression may have when it is evaluated, read from its syntax."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, singledispatch
from itertools import product
from math import prod
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

OPENING, CLOSING = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
"""Around what is put in: no sign of a command line or of Markdown."""

PLAIN = frozenset({"str", "repr", "len", "sorted", "short", "quote", "list", "tuple", "set", "int", "float", "show"})
"""Functions that change a value's spelling and not what it is."""

KEEPING = frozenset({"format", "replace", "removesuffix", "partition", "split", "lower", "rstrip", "strip", "tolist"})
"""Methods of texts that leave most of them."""

MANY = 4
"""Alternatives of one text that are written out."""


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """Where a call stands.

    path: its file. line: its line.
    around: the functions that it stands in, the outermost first.
    blocks: the lists of statements that it stands in, by identity.
    called: what the parameters of the innermost function were called with, and where.
    """

    path: Path
    line: int = 0
    around: tuple[Function, ...] = ()
    blocks: frozenset[int] = frozenset()
    called: Mapping[str, tuple[ast.expr, Place]] = field(default_factory=dict)


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax of a file; the same object each time, so that its nodes can be told apart by identity."""
    return ast.parse(path.read_text(encoding="utf-8"))


@singledispatch
def words(node: ast.expr, place: Place) -> list[str]:
    """The texts that an expression may have; ‹word› for what is known only when it happens."""
    return [placeholder("value")]


@words.register
def _(node: ast.Constant, place: Place) -> list[str]:
    return [str(node.value)]


@words.register
def _(node: ast.JoinedStr, place: Place) -> list[str]:
    return _joined([words(each, place) for each in node.values])


@words.register(ast.FormattedValue)
@words.register(ast.NamedExpr)
def _(node: ast.FormattedValue | ast.NamedExpr, place: Place) -> list[str]:
    return words(node.value, place)


@words.register
def _(node: ast.BinOp, place: Place) -> list[str]:
    sides = [words(node.left, place), words(node.right, place)]
    return _joined(sides) if isinstance(node.op, ast.Add) else [placeholder("value")]


@words.register
def _(node: ast.IfExp, place: Place) -> list[str]:
    return [*words(node.body, place), *words(node.orelse, place)]


@words.register
def _(node: ast.BoolOp, place: Place) -> list[str]:
    return [text for each in node.values for text in words(each, place)]


@words.register
def _(node: ast.Subscript, place: Place) -> list[str]:
    key = node.slice.value if isinstance(node.slice, ast.Constant) else None
    return [placeholder(key)] if isinstance(key, str) else words(node.value, place)


@words.register
def _(node: ast.Attribute, place: Place) -> list[str]:
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    return _constant(node.attr, _imported(owner, place.path)) or [placeholder(node.attr)]


@words.register
def _(node: ast.Call, place: Place) -> list[str]:
    """A call that only spells a value otherwise is the value; another is known by its name."""
    name, function = name_of(node.func), node.func
    if name == "near":
        return [f"Did you mean {placeholder('the nearest')}? / Known: {placeholder('all')}."]
    if name in PLAIN and node.args:
        return words(node.args[0], place)
    if name == "join" and node.args:
        return (
            words(node.args[0], place) if isinstance(node.args[0], ast.Name | ast.Attribute) else [placeholder("names")]
        )
    if isinstance(function, ast.Attribute) and name in KEEPING:
        return words(function.value, place)
    return [placeholder("value" if name == "get" else name)]


@words.register
def _(node: ast.Name, place: Place) -> list[str]:
    """What a name stands for: a parameter's argument, a text that was assigned, a constant; else its own name."""
    if node.id in place.called:
        return words(*place.called[node.id])
    for function in reversed(place.around):
        if found := [each for each in _assigned(node.id, function, place) if not _mentions(each, node.id)]:
            return [text for each in found for text in words(each, place)]
    return _constant(node.id, place.path) or [placeholder(node.id)]


def _joined(parts: list[list[str]]) -> list[str]:
    """Every text that the alternatives of the parts make; of many, one with all alternatives in it."""
    if prod(map(len, parts)) > MANY:
        return ["".join(map(either, parts))]
    return ["".join(texts) for texts in product(*parts)]


def _assigned(name: str, function: Function, place: Place) -> list[ast.expr]:
    """The words that a name may have at a place: of the last assignment that must have been, and of later ones."""
    found: list[ast.expr] = []
    for node in ast.walk(function):
        for _, block in ast.iter_fields(node):
            for statement in block if isinstance(block, list) else ():
                if isinstance(statement, ast.Assign) and statement.lineno < place.line:
                    texts = [value for value in _values(name, statement) if _wordy(value)]
                    if texts and id(block) in place.blocks:
                        found = [each for each in found if each.lineno > statement.lineno]
                    found += texts
    return found


def _values(name: str, statement: ast.Assign) -> Iterator[ast.expr]:
    """What a statement assigns to a name."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
            yield value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for target, value in zip(names, values, strict=False):
                if isinstance(target, ast.Name) and target.id == name:
                    yield value


def _wordy(node: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(node)
    ) and isinstance(node, ast.Constant | ast.JoinedStr | ast.IfExp | ast.BinOp | ast.BoolOp)


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


@cache
def _constant(name: str, path: Path | None) -> list[str]:
    """The text of a module's constant, also of one that it imports; empty where it is none."""
    for node in tree_of(path).body if path else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name and _wordy(value):
                return words(value, Place(path)) if path else []
            case ast.ImportFrom(module=str(module), names=names) if name in {each.name for each in names}:
                return _constant(name, _file(module))
    return []


@cache
def _imported(name: str, path: Path) -> Path | None:
    """The file of a module that another imports under a name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and name in {each.name for each in node.names}:
            return _file(f"{node.module}.{name}")
    return None


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.exists() else None


def name_of(function: ast.expr) -> str:
    """The last name of what is called."""
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def either(texts: list[str]) -> str:
    """Alternatives as one text."""
    return " / ".join(dict.fromkeys(text for text in texts if text))


def placeholder(name: str) -> str:
    """What stands for a value that is known only when it happens, by the name that the code has for it."""
    return f"{OPENING}{name.strip('_').removesuffix('_of').replace('_', ' ').lower()}{CLOSING}"
