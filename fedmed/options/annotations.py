"""Annotations and defaults of options, read from the syntax tree: a grammar that is looked up, and never evaluated.

A file in ./strategies may be anybody's. To list options must not run a word of it, so types are put together here from
the names below and from literals; whatever else stands in an annotation is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Interval, Le, Lt

from fedmed.options.fields import Kind, is_supported

_PLAIN: dict[str, Kind] = {cls.__name__: cls for cls in (int, float, str, bool)}
_BOUNDS: dict[str, Callable[..., object]] = {cls.__name__: cls for cls in (Ge, Gt, Le, Lt, Interval)}
_UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)
"""What comes of trees that are no literals, or so deep that Python gives up."""


def read_type(node: ast.expr) -> Kind:
    """The type that an annotation means; raises ValueError where it is not of the forms that options may use."""
    try:
        kind = _type(node)
    except _UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if not is_supported(kind):
        raise ValueError("it is not one that options may have")
    return kind


def read_literal(node: ast.expr) -> Any:
    """The value of a literal; raises ValueError where it is none."""
    try:
        return ast.literal_eval(node)
    except _UNREADABLE as error:
        raise ValueError("it is not a literal") from error


def last_name(node: ast.expr) -> str:
    """`Ge` of `Ge` and of `annotated_types.Ge`; empty for anything else."""
    match node:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
    return ""


def _type(node: ast.expr) -> Kind:
    match node:
        case ast.Constant(None):
            return type(None)
        case ast.Constant(str(quoted)):
            return _type(ast.parse(quoted, mode="eval").body)
        case ast.BinOp(left, ast.BitOr(), right):
            return Union[_type(left), _type(right)]  # noqa: UP007  (the members are known only here)
        case ast.Subscript(form, ast.Tuple(parts)):
            return _subscript(_known(form), parts)
        case ast.Subscript(form, part):
            return _subscript(_known(form), [part])
    if (name := _known(node)) in _PLAIN:
        return _PLAIN[name]
    raise ValueError(f"{name} is no type of an option")


def _subscript(form: str, parts: list[ast.expr]) -> Kind:
    match form, parts:
        case "Annotated", [kind, *bounds] if bounds:
            return Annotated[(_type(kind), *map(_bound, bounds))]
        case "Literal", _:
            return Literal[tuple(map(_scalar, parts))]
        case "tuple", [kind, ast.Constant(value)] if value is Ellipsis:
            return tuple[_type(kind), ...]  # type: ignore[misc]
        case "Optional", [kind]:
            return Union[_type(kind), None]  # noqa: UP007
        case "Union", _:
            return Union[tuple(map(_type, parts))]  # noqa: UP007
    raise ValueError(f"{form}[...] is no type of an option")


def _bound(node: ast.expr) -> object:
    match node:
        case ast.Call(function, arguments, keywords) if (name := _known(function)) in _BOUNDS:
            return _BOUNDS[name](*map(_number, arguments), **{str(k.arg): _number(k.value) for k in keywords})
    raise ValueError("a bound is Ge, Gt, Le, Lt or Interval of numbers")


def _number(node: ast.expr) -> int | float:
    value = read_literal(node)
    if not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise ValueError(f"the bound {value!r} is no number")
    return value


def _scalar(node: ast.expr) -> object:
    value = read_literal(node)
    if not isinstance(value, str | int | float):
        raise ValueError(f"the choice {value!r} is neither text nor a number")
    return value


def _known(node: ast.expr) -> str:
    """The name of a type, bare or as `typing.Literal`."""
    match node:
        case ast.Name(name) | ast.Attribute(ast.Name("typing" | "annotated_types"), name):
            return name
    raise ValueError("it is not made of the types that options may have")
