"""Annotations are read and never evaluated."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

from fedmed.cli.main import main
from fedmed.options.annotations import read_literal, read_type
from fedmed.options.catalogue import discover

FOUND = "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
SYSTEM = f"{FOUND}.__init__.__globals__['system']"
"""Python without builtins finds its way to the system from any tuple."""

METHOD = """\
from fedmed.method import Method

class Mine(Method):
    field: {annotation} = {default}
"""


def node(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("float", float),
        ("'float'", float),
        ("int | None", int | None),
        ("None | int", int | None),
        ("Optional[str]", str | None),
        ("typing.Union[int, str, None]", int | str | None),
        ("Literal['a', 'b']", Literal["a", "b"]),
        ("typing.Literal[4]", Literal[4]),
        ("tuple[float, ...]", tuple[float, ...]),
        ("tuple[Literal['a'], ...] | None", tuple[Literal["a"], ...] | None),
        ("Annotated[float, Ge(0)]", Annotated[float, Ge(0)]),
        ("typing.Annotated[int, annotated_types.Gt(-1.5), Lt(3)]", Annotated[int, Gt(-1.5), Lt(3)]),
        ("Annotated['int', Le(le=2)] | None", Annotated[int, Le(2)] | None),
        ("Annotated[float, Interval(ge=0, lt=1)]", Annotated[float, Interval(ge=0, lt=1)]),
    ],
)
def test_forms_that_options_may_have(text: str, kind: Any) -> None:
    assert read_type(node(text)) == kind


@pytest.mark.parametrize(
    "text",
    [
        "list", "Tensor", "list[int]", "tuple[int, int]", "tuple[int]", "Literal", "Literal[[1]]", "Literal[f()]", "3",
        "Annotated[int]", "Annotated[int, 3]", "Annotated[int, Ge('a')]", "Annotated[int, Ge(**{'ge': 1})]",
        "Annotated[int, Ge(f())]", "Annotated[int, Interval(1, 2)]", "Annotated[int, Ge(1" + "0" * 400 + ")]",
        "os.PathLike", "Optional[int, str]", "'(int'", "int if True else str", "print('ran')",
        "(" * 90 + "int" + ")" * 90 + "[0]",
    ],
)  # fmt: skip
def test_all_other_forms_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_type(node(text))
    assert not capsys.readouterr().out


@pytest.mark.parametrize("text", ["f()", "{[]: 1}", "{{}}", "1 + f"])
def test_a_default_that_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="literal"):
        read_literal(node(text))


def test_a_type_without_end_is_refused() -> None:
    deep = node("int")
    for _ in range(5000):
        deep = ast.BinOp(deep, ast.BitOr(), ast.Constant(None))
    with pytest.raises(ValueError, match="recursion"):
        read_type(deep)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (f'{SYSTEM}("touch proof")', "0"),
        (repr(f'{SYSTEM}("touch proof")'), "0"),
        (f'Annotated[float, {SYSTEM}("touch proof")]', "0"),
        (f'Annotated[float, Ge({SYSTEM}("touch proof"))]', "0"),
        (f'Literal[{SYSTEM}("touch proof")]', "0"),
        ("float", f'{SYSTEM}("touch proof")'),
    ],
)
def test_listing_a_strangers_strategies_runs_none_of_their_code(
    annotation: str, default: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/mine.py").write_text(
        METHOD.format(annotation=annotation, default=default), encoding="utf-8"
    )
    for command in ("list", "strategies"), ("list", "strategy=mine"), ("run", "--help"), ("doctor",):
        main(list(command))
    assert not (tmp_path / "proof").exists()
    assert "mine" in discover().broken["strategy"]


@pytest.mark.parametrize("content", [b"x = " + b"(" * 5000, b"x = " + b"-" * 100_000 + b"1", b"\0", b"\xff"])
def test_a_file_that_python_cannot_parse_is_broken_and_stops_nobody(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/mine.py").write_bytes(content)
    assert "mine" in discover().broken["strategy"]
