"""From a round's result to its rows: means say what they rest on."""

from __future__ import annotations

from math import nan

from fedmed.flower.rounds import RoundResult, Row
from fedmed.run.rows import client_rows, round_row

ROWS: list[Row] = [
    {"client": 0, "examples": 4, "test.loss": 0.1, "test.auc": 0.5, "val.loss": 1.0, "val.num-examples": 4}
    | {"test.auc.defined": 2, "test.auc.of": 5, "test.num-examples": 4},
    {"client": 1, "examples": 2, "test.loss": 0.2, "test.auc": nan, "val.loss": 4.0, "val.num-examples": 2}
    | {"val.auc": 0.9, "test.num-examples": 2},
    {"client": 2, "examples": 2, "test.loss": 0.3, "test.num-examples": 2},
]


def result() -> RoundResult:
    return RoundResult(1, {}, [{"client": 0, "examples": 1, "loss": 0.5}], {}, 0, 0, evaluated=[*ROWS])


def test_figures_over_clients_say_of_how_many_where_some_have_none() -> None:
    row = round_row(result())
    for scope in ("client.mean", "client.worst"):
        assert row[f"{scope}.auc"] == 0.5
        assert (row[f"{scope}.auc.defined"], row[f"{scope}.auc.of"]) == (1, 3)
        assert f"{scope}.loss.of" not in row
    assert row["val.loss"] == 2
    assert (row["val.auc"], row["val.auc.defined"], row["val.auc.of"]) == (0.9, 1, 3)
    assert not [name for name in row if name.endswith((".defined.of", ".of.of")) or ".auc.of." in name]


def test_a_clients_own_figure_says_on_how_many_classes_it_rests() -> None:
    first = client_rows(result())[0]
    assert (first["client.auc"], first["client.auc.defined"], first["client.auc.of"]) == (0.5, 2, 5)
