"""What a reader has to know about the figures: what was used, what is missing, what cannot be claimed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from fedmed.comparison.estimates import ENOUGH
from fedmed.comparison.missing_values import missing_value_notes
from fedmed.comparison.ranks import WORLDS
from fedmed.comparison.rows import Ranking, Row, TargetRow
from fedmed.comparison.runs import Comparison
from fedmed.comparison.significance import FEW, detectable
from fedmed.formatting import first_few


def notes_on(
    comparison: Comparison, rows: Sequence[Row], metric: str, targets: Sequence[TargetRow], ranks: Ranking | None
) -> Iterator[str]:
    """Sentences about the headline's rows, the most important first."""
    mine = [row for row in rows if row.metric == metric]
    yield from _seeds(mine)
    yield from _intervals(mine)
    yield from _missing(comparison, mine, metric)
    for name in dict.fromkeys([metric, *(row.metric for row in rows)]):
        yield from missing_value_notes(comparison, rows, name)
    if any(not row.federated for row in mine):
        yield "Pooled and local-only are references: they take no part in tests, marks and ranks."
    if not targets:
        yield f"Rounds to a target are not told: {metric} was not evaluated in two rounds or more of every run."
    if ranks is not None and (left := sorted({row.arm for row in mine if row.federated} - {*ranks.arms})):
        yield f"Not ranked, because not in every world: {first_few(left)}."
    if ranks is not None and ranks.critical is None:
        yield f"{len(ranks.worlds)} worlds are too few to test ranks ({WORLDS} at least); the ranks stand as they are."


def _seeds(rows: Sequence[Row]) -> Iterator[str]:
    counts = {(row.arm, row.world): row.n for row in rows if row.federated}
    most = max(counts.values(), default=0)
    if most < FEW:
        seeds = f"{most} seed{' is' if most == 1 else 's are'}"
        yield f"{seeds} too few to claim anything: nothing is tested or marked below {FEW} seeds."
    else:
        few = [f"{arm} in {world} ({n})" for (arm, world), n in counts.items() if n < FEW]
        if few:
            yield f"Neither tested nor marked, with fewer than {FEW} seeds: {first_few(few)}."
    tested = [row for row in rows if row.test]
    if not tested:
        return
    world, test = tested[0].world, tested[0].test
    tests = sum(row.world == world for row in tested)
    pairs = min(row.n for row in tested)
    name = "paired t test" if test == "t" else "Wilcoxon's signed-rank test"
    corrected = f", with Holm's correction for the {tests} arms of a world" if tests > 1 else ""
    yield (
        f"p is of the {name} over seeds{corrected}. "
        f"With {pairs} seeds a mean difference has to exceed {detectable(pairs, tests):.1f} of its standard deviations "
        "to be sure of being found significant: what is not significant need not be equal."
    )


def _intervals(rows: Sequence[Row]) -> Iterator[str]:
    counts = {row.n for row in rows}
    if any(1 < n < ENOUGH for n in counts):
        yield (
            f"Intervals of means are Student's t below {ENOUGH} seeds: a bootstrap of so few values claims to be "
            "narrower than it is."
        )
    if any(n >= ENOUGH for n in counts):
        yield f"Intervals of means are bootstrapped over seeds (BCa) from {ENOUGH} seeds on."


def _missing(comparison: Comparison, rows: Sequence[Row], metric: str) -> Iterator[str]:
    """Arms that lack seeds which another arm of their world has, and those that have no value at all."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for world, _, seed in comparison.runs:
        seeds[world].add(seed)
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        has = comparison.values(row.world, row.arm, metric).keys()
        if missing := sorted(seeds[row.world] - has):
            lacking[row.world, ", ".join(map(str, missing))].append(row.arm)
    for (world, missed), arms in lacking.items():
        yield f"No {metric} in {world} for seed {missed}: {first_few(arms)}."
    without = [arm for arm in comparison.arms if arm not in {row.arm for row in rows}]
    name = f"client.mean.{comparison.metric}"
    if kept := [arm for arm in without if any(comparison.values(world, arm, name) for world in comparison.worlds)]:
        yield f"No {metric}, because clients keep parts of the net; {name} tells instead: {first_few(kept)}."
    if rest := [arm for arm in without if arm not in kept]:
        yield f"No {metric} in any run: {first_few(rest)}."
