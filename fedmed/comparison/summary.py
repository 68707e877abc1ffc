"""The results of a comparison: rows of its tables, ranks, costs and notes, computed from its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fedmed.comparison.estimates import estimate, mean_estimate
from fedmed.comparison.fairness import client_row
from fedmed.comparison.missing_values import defined_counts, rankable
from fedmed.comparison.notes import notes_on
from fedmed.comparison.ranks import ranking
from fedmed.comparison.rows import ClientRow, Ranking, Row, Summary, TargetRow
from fedmed.comparison.runs import ComparedRun, Comparison
from fedmed.comparison.settings import is_federated
from fedmed.comparison.significance import differences, hedges_g, holm, marks, p_values
from fedmed.comparison.target import default_target, evaluations, has_clock, target_row

SCOPES = ("test", "client.mean", "client.worst", "domain.mean", "domain.worst", "val")
"""Where the metric is looked for: the first that every federated arm has is the headline."""


def summarise(comparison: Comparison, *, target: float | None = None) -> Summary:
    """All rows, the ranking, and the notes on them.

    target: value of the headline for rounds, bytes and seconds to reach it (null: 95 % of the reference's final mean).
    """
    arms = _federated(comparison)
    metrics = _metrics(comparison, [arm for arm, federated in arms.items() if federated])
    rows = tuple(
        row for metric in metrics for world in comparison.worlds for row in metric_rows(comparison, world, metric)
    )
    targets = tuple(_targets(comparison, rows, metrics[0], target))
    ranks = _ranking(comparison, rows, metrics[0])
    return Summary(
        comparison=comparison,
        metrics=metrics,
        rows=rows,
        clients=tuple(_clients(comparison, arms)),
        targets=targets,
        ranking=ranks,
        notes=(*comparison.notes, *notes_on(comparison, rows, metrics[0], targets, ranks)),
    )


def _federated(comparison: Comparison) -> dict[str, bool]:
    """Arms, and whether they are federated."""
    runs = comparison.runs.items()
    return {arm: all(is_federated(run.config) for (_, name, _), run in runs if name == arm) for arm in comparison.arms}


def _metrics(comparison: Comparison, arms: Sequence[str]) -> tuple[str, ...]:
    """The names in final.json that some arm has, the headline first."""
    names = [f"{scope}.{comparison.metric}" for scope in SCOPES]
    had = [{(w, a) for w in comparison.worlds for a in comparison.arms if comparison.values(w, a, n)} for n in names]
    places = {(world, arm) for world, arm, _ in comparison.runs if arm in arms}
    known = [name for name, where in zip(names[:5], had[:5], strict=True) if where] or names[5:]
    full = [name for name, where in zip(names, had, strict=True) if places <= where and "worst" not in name]
    headline = f"{comparison.scope}.{comparison.metric}" if comparison.scope else (full or known)[0]
    return headline, *(name for name in known if name != headline)


def metric_rows(comparison: Comparison, world: str, metric: str, *, tested: bool = True) -> Iterator[Row]:
    """The arms of one world, in the comparison's order; none where no run has the metric.

    tested: whether arms are tested and marked by it, which takes a metric that improves the way the headline does.
    """
    arms = _federated(comparison)
    values = {arm: found for arm in arms if (found := comparison.values(world, arm, metric))}
    rivals = [arm for arm, federated in arms.items() if federated and arm in values and tested]
    p, test = p_values(values, [arm for arm in rivals if arm != comparison.reference], comparison.reference)
    corrected = holm(p)
    marked = marks(values, rivals, comparison.improves(metric)) if rankable(comparison, world, metric) else {}
    for arm, found in values.items():
        mean = mean_estimate(list(found.values()))
        one = mean.number == 1
        row = Row(
            world=world,
            arm=arm,
            metric=metric,
            federated=arms[arm],
            n=mean.number,
            mean=mean.mean,
            sd=None if one else mean.sd,
            low=None if one else mean.low,
            high=None if one else mean.high,
            p=p.get(arm),
            p_holm=corrected.get(arm),
            test=test if arm in p else "",
            mark=marked.get(arm, ""),
            **defined_counts(comparison, world, arm, metric),
        )
        yield row if arm == comparison.reference else _against(row, differences(values, arm, comparison.reference))


def _against(row: Row, paired: Sequence[float]) -> Row:
    """The row with its difference to the reference, if they share a seed."""
    if not paired:
        return row
    found = estimate(paired)
    one = found.number == 1
    return replace(
        row,
        difference=found.mean,
        dlow=None if one else found.low,
        dhigh=None if one else found.high,
        effect=hedges_g(paired),
    )


def _ranking(comparison: Comparison, rows: Sequence[Row], metric: str) -> Ranking | None:
    """Of the federated arms that are in every world in which there is anything to rank."""
    means: dict[str, dict[str, float]] = {world: {} for world in comparison.worlds}
    for row in rows:
        if row.metric == metric and row.federated and row.mean is not None and rankable(comparison, row.world, metric):
            means[row.world][row.arm] = row.mean
    arms = [arm for arm in comparison.arms if all(arm in found for found in means.values() if found)]
    return ranking(means, arms, metric=metric, greater=comparison.improves(metric))


def _clients(comparison: Comparison, arms: Mapping[str, bool]) -> Iterator[ClientRow]:
    for world in comparison.worlds:
        for arm, federated in arms.items():
            row = client_row(
                _runs(comparison, world, arm),
                world=world,
                arm=arm,
                metric=comparison.metric,
                greater=comparison.greater,
                federated=federated,
            )
            if row is not None:
                yield row


def _targets(comparison: Comparison, rows: Sequence[Row], metric: str, given: float | None) -> Iterator[TargetRow]:
    """Of federated arms, in worlds where every run was evaluated twice or more and there is a target."""
    for world in comparison.worlds:
        mine = [row for row in rows if row.metric == metric and row.world == world]
        end = next((row.mean for row in mine if row.arm == comparison.reference), None)
        target = default_target(end, comparison.improves(metric)) if given is None and end is not None else given
        runs = {row.arm: _runs(comparison, world, row.arm) for row in mine if row.federated}
        every = [run for found in runs.values() for run in found]
        if target is None or any(evaluations(run, metric) < 2 for run in every):
            continue
        simulated = all(map(has_clock, every))
        for arm, found in runs.items():
            yield target_row(
                found,
                world=world,
                arm=arm,
                metric=metric,
                target=target,
                greater=comparison.improves(metric),
                simulated=simulated,
            )


def _runs(comparison: Comparison, world: str, arm: str) -> list[ComparedRun]:
    keys = [(world, arm, seed) for seed in comparison.seeds]
    return [comparison.runs[key] for key in keys if key in comparison.runs]
