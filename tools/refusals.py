"""The refusals of the code, read from its syntax: what each says, with ‹words› where a value is put in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, reduce
from itertools import chain
from pathlib import Path

from tools.words import ROOT, Function, Place, either, name_of, placeholder, tree_of, words

FOLDERS = ("fedmed", "strategies", "datasets")
PARTS = ("where", "expected", "got", "fix")
NAMES = {"refuse": PARTS, "Fault": PARTS, "MismatchError": ("expected", "got")}
"""What makes an error, and what its arguments are."""

DEPTH = 3
"""How many functions are followed from the refusal to the words that they were called with."""


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """One error that a user may see. file: where it is raised, from the root of the repository."""

    where: str
    expected: str
    got: str
    fix: str
    file: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}."


def refusals(root: Path = ROOT) -> list[Refusal]:
    """All refusals of a checkout, in order and each once."""
    files = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    return sorted(set(chain.from_iterable(_of_file(path, root) for path in files)))


def _of_file(path: Path, root: Path) -> Iterator[Refusal]:
    for call, place in _calls(path):
        if (names := NAMES.get(name_of(call.func))) and (call.args or call.keywords):
            for each in _called(_arguments(call, names), place, DEPTH):
                texts = {part: _tidy(either(words(*each[part]))) if part in each else "" for part in PARTS}
                texts["where"] = texts["where"] or placeholder("who and when")
                if texts["expected"]:
                    yield Refusal(**texts, file=str(path.relative_to(root)))


@cache
def _calls(path: Path) -> tuple[tuple[ast.Call, Place], ...]:
    """Every call of a file, and where it stands."""
    found = []

    def visit(node: ast.AST, around: tuple[Function, ...], blocks: frozenset[int]) -> None:
        if isinstance(node, ast.Call):
            found.append((node, Place(path, node.lineno, around, blocks)))
        inner = (*around, node) if isinstance(node, Function) else around
        for _, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child, inner, blocks | {id(value)} if isinstance(value, list) else blocks)

    visit(tree_of(path), (), frozenset())
    return tuple(found)


def _arguments(call: ast.Call, names: tuple[str, ...]) -> dict[str, ast.expr]:
    """The arguments of a call by the names of its parameters."""
    positional = dict(zip(names, call.args, strict=False))
    given = positional | {each.arg: each.value for each in call.keywords if each.arg in names}
    return {name: value for name, value in given.items() if not isinstance(value, ast.Starred)}


def _called(arguments: Mapping[str, ast.expr], place: Place, depth: int) -> Iterator[dict[str, tuple[ast.expr, Place]]]:
    """The arguments with what the function around them was called with, once per call where that makes the words."""
    named = (arguments[part] for part in ("where", "expected") if part in arguments)
    if not depth or not any(isinstance(word, ast.Name) and _parameter(word.id, place) for word in named):
        yield {part: (value, place) for part, value in arguments.items()}
        return
    function = place.around[-1]
    sites = [(c, p) for c, p in _calls(place.path) if name_of(c.func) == function.name and function not in p.around]
    names = _parameters(function)
    for call, site in sites:
        if place.called:
            break
        given = _arguments(call, names)
        for outer in _called(given, site, depth - 1):
            inside = replace(place, called=outer)
            yield {part: (value, inside) for part, value in arguments.items()}
    if not sites:
        yield {part: (value, place) for part, value in arguments.items()}


def _parameters(function: Function) -> tuple[str, ...]:
    args = function.args
    return tuple(
        each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs) if each.arg not in ("self", "cls")
    )


def _parameter(name: str, place: Place) -> bool:
    return bool(place.around) and name in _parameters(place.around[-1]) and name not in place.called


def _tidy(text: str) -> str:
    """One line, without the signs of shells that a page would read as its own."""
    return reduce(lambda t, sign: t.replace(sign, "'"), "`", re.sub(r"\s+", " ", text).strip())
