"""The first thing that a reader sees: what won, by how much, and how sure that is."""

from __future__ import annotations

from collections import Counter
from statistics import median

from fedmed.comparison.missing_values import rankable
from fedmed.comparison.rows import Ranking, Row, Summary
from fedmed.comparison.runs import ComparedRun
from fedmed.formatting import byte_size, count, duration, interval, joined, metric_name, p_value_text, value


def title(summary: Summary) -> str:
    """What the page is about: the arms, or the one run."""
    federated = [arm for arm in summary.comparison.arms if _federated(summary, arm)] or [*summary.comparison.arms]
    if len(federated) > 4:
        return f"{len(federated)} federated methods compared"
    return federated[0] if len(federated) == 1 else joined(federated)


def headline(summary: Summary) -> tuple[str, str]:
    """One sentence that says what won, by how much and how surely; and what else there is to say, or nothing."""
    if len(summary.comparison.arms) == 1:
        return _alone(summary), ""
    world, *others = summary.comparison.worlds
    return _over_worlds(summary) if others else _in_world(summary, world)


def facts(summary: Summary) -> list[str]:
    """How many arms, worlds, seeds, runs and rounds there are, what one run sends and how long it takes."""
    comparison, runs = summary.comparison, list(summary.comparison.runs.values())
    parts = [count(len(comparison.arms), "arm")] if len(comparison.arms) > 1 else []
    parts += [count(len(comparison.worlds), "world")] if len(comparison.worlds) > 1 else []
    parts += [count(len(comparison.seeds), "seed"), count(len(runs), "run")] if len(runs) > 1 else [_seed(runs[0])]
    rounds = sorted({int(run.final.get("rounds") or 0) for run in runs})
    parts += [count(rounds[0], "round") if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]} rounds"]
    seconds = [float(run.final.get("seconds") or 0) for run in runs]
    sent = [float((run.final.get("bytes.up") or 0) + (run.final.get("bytes.down") or 0)) for run in runs]
    each = " each" if len(runs) > 1 else ""
    return [*parts, f"{byte_size(median(sent))} sent{each}", f"{duration(median(seconds))}{each}"]


def _seed(run: ComparedRun) -> str:
    return f"seed {run.seed}"


def _rows(summary: Summary, world: str) -> list[Row]:
    found = [row for row in summary.rows if row.world == world and row.metric == summary.headline]
    return [row for row in found if row.mean is not None]


def _federated(summary: Summary, arm: str) -> bool:
    return any(row.federated for row in summary.rows if row.arm == arm)


def _best(summary: Summary, world: str) -> Row | None:
    """The best of the federated arms by its mean, whether or not it may be called so; None where none can be."""
    if not rankable(summary.comparison, world, summary.headline):
        return None
    rows = [row for row in _rows(summary, world) if row.federated]
    found = next((row for row in rows if row.mark == "best"), None)
    if found is not None or not rows:
        return found
    return (max if summary.comparison.improves(summary.headline) else min)(rows, key=lambda row: row.mean or 0.0)


def _none(summary: Summary, metric: str) -> str:
    """A sentence that says why no arm is called the best."""
    if not all(rankable(summary.comparison, world, summary.headline) for world in summary.comparison.worlds):
        return f"{metric} is of what was found, and not everything was: nothing is ranked by it."
    return f"No federated arm has a {metric}."


def _alone(summary: Summary) -> str:
    comparison, metric = summary.comparison, metric_name(summary.headline)
    rows = [row for world in comparison.worlds for row in _rows(summary, world)]
    if not rows:
        return f"No {metric} is known."
    if len(comparison.worlds) > 1:
        reached = ", ".join(f"{value(row.mean)} on {row.world}" for row in rows)
        return f"{comparison.arms[0]} reaches a {metric} of {reached}."
    row, (run, *others) = rows[0], comparison.runs.values()
    low, high = (run.final.get(f"{summary.headline}.{end}") for end in ("low", "high"))
    low, high = (row.low, row.high) if others else (low, high)
    over = f" over {count(row.n, 'seed')}" if others else ""
    sure = f" (95 % interval {interval(low, high)})" if interval(low, high) else ""
    return f"{row.arm} reaches a {metric} of {value(row.mean)}{over}{sure}."


def _in_world(summary: Summary, world: str) -> tuple[str, str]:
    best, metric = _best(summary, world), metric_name(summary.headline)
    if best is None:
        return _none(summary, metric), ""
    most = "highest" if summary.comparison.improves(summary.headline) else "lowest"
    start = f"{best.arm} reaches the {most} {metric}, {value(best.mean)}"
    if best.arm == summary.comparison.reference:
        return f"{start}{_ahead(summary, world)}", ""
    return f"{start}{_against(summary, best)}", _details(summary, world, best)


def _ahead(summary: Summary, world: str) -> str:
    """How the reference stands to the others, when it is the best."""
    rows = [row for row in _rows(summary, world) if row.federated]
    if len(rows) == 1:
        return "."
    near = [row.arm for row in rows if row.mark == "near"]
    if not any(row.mark for row in rows):
        return f"; {count(min(row.n for row in rows), 'seed')} cannot tell it from the others."
    return f"; {joined(near)} {_are(near)} not significantly worse." if near else ", significantly more than any other."


def _against(summary: Summary, best: Row) -> str:
    """How far the best one is from the reference, and whether that can be claimed."""
    if best.difference is None:
        return "."
    reference, gap = summary.comparison.reference, value(abs(best.difference))
    start = f": {gap} {'above' if best.difference > 0 else 'below'} {reference}"
    if best.p_holm is None:
        return f"{start}, but {count(best.n, 'seed')} cannot tell whether that is chance."
    if best.p_holm < 0.05:
        return f"{start}, and significantly so."
    return f"{start}, which {count(best.n, 'seed')} cannot tell from chance."


def _details(summary: Summary, world: str, best: Row) -> str:
    evidence = []
    if ends := interval(best.dlow, best.dhigh, sign=True):
        evidence.append(f"95 % interval of the paired difference {ends}")
    if best.p_holm is not None:
        evidence.append(f"p {_equals(best.p_holm)} after Holm's correction")
    parts = [f"{', '.join(evidence)}."] if evidence else []
    near = [row.arm for row in _rows(summary, world) if row.mark == "near" and row.arm != summary.comparison.reference]
    return " ".join([*parts, *([f"Not significantly worse: {joined(near)}."] if near else [])])


def _equals(p: float) -> str:
    text = p_value_text(p)
    return text if text.startswith("<") else f"= {text}"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _over_worlds(summary: Summary) -> tuple[str, str]:
    worlds, metric = summary.comparison.worlds, metric_name(summary.headline)
    wins = Counter(best.arm for world in worlds if (best := _best(summary, world)))
    if not wins:
        return _none(summary, metric), ""
    (arm, number), *others = wins.most_common()
    most = "highest" if summary.comparison.improves(summary.headline) else "lowest"
    if not others:
        return f"{arm} reaches the {most} {metric} in all {len(worlds)} worlds.", _ranked(summary.ranking)
    rest = f", {joined([f'{name} in {times}' for name, times in others[:3]])}"
    sentence = f"The {most} {metric} goes to {arm} in {number} of {len(worlds)} worlds{rest}."
    return sentence, _ranked(summary.ranking)


def _ranked(ranking: Ranking | None) -> str:
    if ranking is None:
        return ""
    sentence = f"{ranking.arms[0]} has the best average rank, {ranking.ranks[0]:.2f}"
    if ranking.p is None:
        return f"{sentence}; the worlds are too few to test that."
    sure = "ranks differ" if ranking.p < 0.05 else "ranks do not differ significantly"
    return f"{sentence}; {sure} (Friedman, p {_equals(ranking.p)})."
