"""The result of a run: flat final metrics from its rows, and the table that ends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from shutil import get_terminal_size
from statistics import median
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fedmed.headline import HIGHER_IS_BETTER, Directions
from fedmed.results.fit import fit
from fedmed.results.grid import Grid
from fedmed.results.text import number, rests_on, size, span

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = Mapping[str, Any]
Final = dict[str, float | int | str | None]

SCOPES = ("test.", "val.", "audit.", "client.", "adapted.")
"""What the names of evaluation results begin with."""

COLUMNS = {
    "test": "test.",
    "mean client": "client.mean.",
    "worst client": "client.worst.",
    "mean adapted": "adapted.mean.",
    "worst adapted": "adapted.worst.",
}
"""Columns of the final table, and what the names of their metrics begin with."""


def summarise(
    rounds: Sequence[Row],
    clients: Sequence[Row],
    *,
    metric: str,
    seconds: float,
    directory: Path,
    directions: Directions = HIGHER_IS_BETTER,
) -> Final:
    """The final metrics, flat.

    rounds: rows with `round`, `loss`, `seconds`, `bytes.up`, `bytes.down`, and after an evaluation `test.<metric>`,
        `val.<metric>`, `client.mean.<metric>`, `client.worst.<metric>`, `adapted.mean.<metric>`, ...
    clients: rows with `round`, `client`, and after an evaluation `client.<metric>`.
    metric: the metric (`auc`) that chooses the best round (by validation) and the worst client, by its direction.
    seconds: of the run.
    """
    last = rounds[-1] if rounds else {}
    return {
        **_evaluation(last),
        "client.worst.id": _worst_client(clients, last.get("round"), metric, higher=directions[metric]),
        **_best(rounds, metric, "val", directions),
        **_best_by_truth(rounds, metric, directions),
        "bytes.up": sum(row.get("bytes.up") or 0 for row in rounds),
        "bytes.down": sum(row.get("bytes.down") or 0 for row in rounds),
        **_simulated(rounds),
        **{name: rounds[-1][name] for name in ("epsilon", "delta") if rounds and name in rounds[-1]},
        "rounds": rounds[-1]["round"] if rounds else 0,
        "seconds": seconds,
        "seconds.per_round": median(row["seconds"] for row in rounds) if rounds else None,
        "directory": str(directory),
    }


def _simulated(rounds: Sequence[Row]) -> Final:
    """Seconds of the simulated clock over all rounds; nothing where none runs."""
    clock = [row["simulated_seconds"] for row in rounds if "simulated_seconds" in row]
    return {"simulated_seconds": sum(clock)} if clock else {}


def judge(rounds: Sequence[Row], metric: str, labels: str = "val") -> str:
    """The metric that judges rounds: the loss, where the chosen one is defined in none of them and the loss is."""
    known = {name for row in rounds for name in (metric, "loss") if _defined(row.get(f"{labels}.{name}"))}
    return "loss" if known == {"loss"} else metric


def best_round(
    rounds: Sequence[Row], metric: str, labels: str = "val", *, directions: Directions = HIGHER_IS_BETTER
) -> Row | None:
    """The first row with the best `val.<metric>`, or `val.loss` where no round has that; None where none has either.

    labels: val for the validation labels as given, audit for the true ones.
    """
    used = judge(rounds, metric, labels)
    name = f"{labels}.{used}"
    rated = [row for row in rounds if _defined(row.get(name))]
    best = max if directions[used] else min
    return best(rated, key=lambda row: float(row[name])) if rated else None


def final_table(final: Mapping[str, Any]) -> RenderableType:
    """The result for a rich console; the run directory stands alone on the last line, never wrapped."""
    from rich.console import Group

    return Group(*(part.rich() for part in fit(_grid(final), get_terminal_size().columns)))


def final_text(final: Mapping[str, Any]) -> str:
    """The result as plain text, without a line end."""
    return "\n".join(part.text() for part in fit(_grid(final), get_terminal_size().columns))


def _evaluation(row: Row) -> Row:
    found = {name: value for name, value in row.items() if name.startswith(SCOPES)}
    return found if any(map(_defined, found.values())) else {}


def _best(rounds: Sequence[Row], metric: str, labels: str, directions: Directions) -> Final:
    row = best_round(rounds, metric, labels, directions=directions)
    if row is None:
        return {"best.round": None}
    by = f"{labels}.{judge(rounds, metric, labels)}"
    return {
        "best.round": row["round"],
        "best.by": by,
        **{f"best.{name}": value for name, value in _evaluation(row).items()},
    }


def _best_by_truth(rounds: Sequence[Row], metric: str, directions: Directions) -> Final:
    """The round that true validation labels would have chosen, and its test metrics: for audit only."""
    found = _best(rounds, metric, "audit", directions)
    return {f"audit.{n}": v for n, v in found.items() if v is not None and n.startswith(("best.round", "best.test."))}


def _worst_client(clients: Sequence[Row], round: int | None, metric: str, *, higher: bool) -> int | None:
    name = f"client.{metric}"
    rated = [row for row in clients if row["round"] == round and _defined(row.get(name))]
    worst = min if higher else max
    return int(worst(rated, key=lambda row: float(row[name]))["client"]) if rated else None


def _defined(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _grid(final: Mapping[str, Any]) -> Grid:
    """Metrics as rows and scopes as columns; values per class (`dice.2`) and intervals stay out."""
    columns = {
        title: {name.removeprefix(prefix): value for name, value in final.items() if name.startswith(prefix)}
        for title, prefix in (COLUMNS | {"best test": "best.test."}).items()
    }
    columns = {title: values for title, values in columns.items() if any(map(_defined, values.values()))}
    names = dict.fromkeys(name.partition(".")[0] for values in columns.values() for name in values if name != "id")
    rows = [[name, *(_cell(values, name) for values in columns.values())] for name in names]
    return Grid(header=["", *columns], rows=rows, below=["", *_counts(columns, names), *_notes(final)])


def _cell(values: Mapping[str, Any], name: str) -> str:
    """A value, with a star where it does not rest on everything."""
    return number(values.get(name)) + ("*" if _rests(values, name) else "")


def _rests(values: Mapping[str, Any], name: str) -> str:
    return rests_on(values.get(f"{name}.defined"), values.get(f"{name}.of")).strip(" ()")


def _counts(columns: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> list[str]:
    """What the stars stand for: `* auc: mean client, worst client over 5 of 6`; lines that fit the terminal."""
    found: dict[str, list[str]] = {}
    for name in names:
        counts: dict[str, list[str]] = {}
        for title, values in columns.items():
            if rests := _rests(values, name):
                counts.setdefault(rests, []).append(title)
        for rests, titles in counts.items():
            found.setdefault(f"{', '.join(titles)} over {rests}", []).append(name)
    lines = [f"* {told}, as the rest have no value: {', '.join(names)}" for told, names in found.items()]
    width = min(78, get_terminal_size().columns)
    return [part for line in lines for part in wrap(line, width, subsequent_indent="  ")] + [""] * bool(lines)


def measured(final: Mapping[str, Any]) -> bool:
    """Whether any metric of the last evaluation has a value."""
    return any(_defined(final[name]) for name in final if name.startswith(SCOPES) and name != "client.worst.id")


def diverged(final: Mapping[str, Any]) -> bool:
    """Whether the last model was evaluated and not one metric has a value, as its outputs are not finite."""
    return not measured(final) and any(name.startswith(SCOPES) and name.endswith(".loss") for name in final)


def _notes(final: Mapping[str, Any]) -> list[str]:
    """What does not fit the table: rounds, the worst client, traffic, time, and the directory."""
    facts = [f"rounds {final['rounds']}"]
    if final.get("faults"):
        facts.append(f"{final['faults']} clients' rounds left out (faults.jsonl)")
    if final["best.round"] is not None:
        facts.append(f"best round {final['best.round']} (by {final.get('best.by', 'validation')})")
    if final["client.worst.id"] is not None:
        facts.append(f"worst client {final['client.worst.id']}")
    costs = [f"up {size(final['bytes.up'])}", f"down {size(final['bytes.down'])}", span(final["seconds"])]
    if final["seconds.per_round"] is not None:
        costs.append(f"{span(final['seconds.per_round'])} per round")
    return [" · ".join(facts), " · ".join(costs), str(final["directory"])]
