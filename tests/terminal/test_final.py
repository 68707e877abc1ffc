from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from fedmed.rundir.final import summarise
from fedmed.terminal.final import final_table, final_text
from tests.rundir.test_final import summary


def test_the_table_shows_scopes_as_columns_and_ends_with_the_directory() -> None:
    lines = final_text(summary() | {"test.dice.2": 0.123, "adapted.mean.auc": None}).splitlines()
    assert lines[0].split() == ["test", "mean", "client", "worst", "client", "best", "test"]
    assert lines[2].split() == ["auc", "0.700", "0.650", "0.400", "0.800"]
    assert lines[3].split() == ["loss", "0.400", "-", "2.500", "0.500"]
    assert lines[-3:] == [
        "rounds 5 · best round 2 (by val.auc) · worst client 7",
        "up 50 B · down 100 B · 7.50 s · 1.10 s per round",
        "runs/one",
    ]
    assert "0.123" not in "\n".join(lines)


def test_the_table_says_what_a_mean_rests_on_where_that_is_not_everything() -> None:
    found = {"test.hd95": 0.0, "test.hd95.defined": 1, "test.hd95.of": 40, "test.ece": 0.2}
    found |= {
        "test.surface_distance.defined": 0,
        "test.surface_distance.of": 40,
        "test.ece.defined": 3,
        "test.ece.of": 3,
    }
    counts = {f"client.{which}.auc.{what}": n for which in ("mean", "worst") for what, n in (("defined", 1), ("of", 5))}
    text = final_text(summary() | found | counts)
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["hd95"].split() == ["hd95", "0.000*", "-", "-", "-"]
    assert lines["surface_distance"].split()[1] == "-*"
    assert lines["auc"].split() == ["auc", "0.700", "0.650*", "0.400*", "0.800"]
    assert "*" not in lines["ece"]
    message = [line for line in text.splitlines() if line.startswith("* ")]
    assert message == [
        "* mean client, worst client over 1 of 5, as the rest have no value: auc",
        "* test over 1 of 40, as the rest have no value: hd95",
        "* test over 0 of 40, as the rest have no value: surface_distance",
    ]
    assert "*" not in final_text(summary())


@pytest.mark.parametrize("width", [80, 120])
def test_the_rich_table_names_the_directory_in_one_piece(width: int) -> None:
    stream = StringIO()
    directory = "runs/" + "long-name-" * 12
    Console(file=stream, width=width).print(final_table(summary() | {"directory": directory}), soft_wrap=True)
    assert directory in stream.getvalue()
    assert "worst client" in stream.getvalue()


def test_what_a_mean_rests_on_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    values = {"loss": 1.0, "auc": 0.5, "auprc": 0.5, "balanced_accuracy": 0.5, "f1": 0.5}
    names = [f"client.{part}.{name}" for part in ("mean", "worst") for name in values]
    final = dict.fromkeys(names, 0.5) | {f"{name}.defined": 1 for name in names} | {f"{name}.of": 5 for name in names}
    final |= {"client.worst.id": 1, "best.round": None, "bytes.up": 1, "bytes.down": 1, "rounds": 1, "seconds": 1.0}
    text = final_text({**final, "seconds.per_round": None, "directory": "runs/one"})
    assert "over 1 of 5" in text
    assert max(map(len, text.splitlines())) <= 60


def test_a_run_without_rounds_has_a_table_too() -> None:
    none = summarise([], [], metric="auc", seconds=0, directory=Path("d"))
    assert final_text(none).endswith("d")
