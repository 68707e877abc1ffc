"""The same comparison by other metrics, to look at: means, intervals and differences, but no tests and no marks.

A metric that is chosen after its values were seen cannot be tested by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

from fedmed.comparison.rows import Row, Summary
from fedmed.comparison.summary import metric_rows

MOST, FEWEST, DRAWN = 12, 4, 36
"""Metrics at most, the headline among them; of many worlds fewer, as each is drawn in every world."""

SCOPES = ("test", "client.mean", "client.worst", "adapted.mean", "val", "domain.mean")
"""Of what is offered beside the headline's own scopes, those of the first scope first."""

LOSS = "loss"
"""The training loss, which has values over rounds only."""


def other_metrics(summary: Summary) -> list[Summary]:
    """The summary itself, then once for every other metric that its runs tell, with that one as its headline."""
    found = [summary]
    most = min(MOST, max(FEWEST, DRAWN // len(summary.comparison.worlds)))
    for metric in list(dict.fromkeys(_offered(summary)))[: most - 1]:
        others = tuple(name for name in summary.metrics if name != metric)
        mine = () if metric in summary.metrics else _rows(summary, metric)
        found.append(replace(summary, metrics=(metric, *others), rows=(*summary.rows, *mine)))
    return found


def _rows(summary: Summary, metric: str) -> tuple[Row, ...]:
    worlds = summary.comparison.worlds
    return tuple(row for world in worlds for row in metric_rows(summary.comparison, world, metric, tested=False))


def _offered(summary: Summary) -> Iterator[str]:
    """The headline's other scopes, then what final results and rounds tell, scope by scope."""
    yield from summary.metrics[1:]
    runs = summary.comparison.runs.values()
    rows = [row for run in runs for row in (*run.rounds[-1:], run.final)]
    names = dict.fromkeys(name for row in rows for name, value in row.items() if _number(value))
    yield from (name for name in names if _over_groups(name) and name.endswith(f".{summary.comparison.metric}"))
    for scope in SCOPES:
        yield from (name for name in names if name.rpartition(".")[0] == scope and _is_metric(name, summary))
        if scope == "test" and LOSS in names:
            yield LOSS


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _over_groups(name: str) -> bool:
    """Whether it is of the worst group of an attribute, or of the gap between groups."""
    return re.fullmatch(r"group\.[\w-]+\.(worst|gap)\.\w+", name) is not None


def _is_metric(name: str, summary: Summary) -> bool:
    """Neither the headline nor what is no metric, such as the number of the worst client."""
    return name != summary.headline and name.rpartition(".")[2] not in ("id", "num-examples")
