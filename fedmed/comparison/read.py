"""Reads run directories into a comparison: which arms and worlds there are, and whether they may be compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fedmed.comparison.find import FinishedRun, find
from fedmed.comparison.names import arm_names, beyond, unnamed_values, world_names
from fedmed.comparison.runs import LOCAL, POOLED, ComparedRun, Comparison, Key
from fedmed.comparison.settings import Settings, base_name, drop_seeds, settings
from fedmed.errors import Fault, UserError, near, refuse
from fedmed.metric_direction import DEFAULT_METRIC, PART, Better, ScopedMetric, direction_name

TOLD = ("test", "client.mean", "domain.mean", "val")
"""Scopes of final.json by which the metrics of a run are known."""

SHARED = {"data": "the same training data", "test": "the same test set", "fedmed": "the same version of fedmed"}
"""Fingerprints that runs of one world and seed share, and what they stand for."""

APART = "Compare them apart; with --force they are compared all the same, and the report says so."


def read(
    paths: Sequence[Path],
    *,
    metric: str | None = None,
    reference: str | None = None,
    force: bool = False,
    better: Better | None = None,
) -> Comparison:
    """The finished runs at the paths, each a run directory or a folder of them, in their places.

    metric: the headline (`auc`, or `client.worst.auc`; null: the runs' own, or the task's). reference: the arm that
    others are compared with (null: the one with FedAvg, else the first). force: whether runs that are not comparable
    become notes. better: which way the headline improves, where the runs do not tell.
    Raises UserError for a path that does not exist, runs that are not comparable, no finished run at all, an arm or a
    metric that is not there, and a metric whose direction nobody tells. Other directories are skipped, and noted.
    """
    found, notes = find(paths)
    if not found:
        why = " ".join(notes) or "none at all"
        raise refuse(" ".join(map(str, paths)), "finished runs", why, "Let them end, or check the path.")
    flat = drop_seeds([settings(each.run.config) for each in found], [each.run.seed for each in found])
    worlds = world_names(flat)
    bases = [base_name(each.run.config) for each in found]
    arms = arm_names(flat, worlds, bases)
    notes += _check_comparable(found, worlds, flat, force=force)
    notes += unnamed_values(flat, worlds, bases)
    notes += beyond(flat, worlds, bases, arms)
    runs = _placed(found, worlds, arms, notes)
    ordered = _ordered(arms, bases)
    asked = _headline(list(runs.values()), metric)
    chosen = _reference(ordered, reference, dict(zip(arms, bases, strict=True)))
    return Comparison(
        worlds=tuple(dict.fromkeys(worlds)),
        arms=(chosen, *(arm for arm in ordered if arm != chosen)),
        seeds=tuple(sorted({seed for _, _, seed in runs})),
        runs=runs,
        metric=asked.metric,
        reference=chosen,
        greater=_greater(asked.metric, list(runs.values()), better),
        notes=tuple(notes),
        scope=asked.scope,
    )


def _placed(
    found: Sequence[FinishedRun], worlds: Sequence[str], arms: Sequence[str], notes: list[str]
) -> dict[Key, ComparedRun]:
    """Runs by their places; of several in one place the latest, which a note says."""
    places: dict[Key, FinishedRun] = {}
    for each, world, arm in zip(found, worlds, arms, strict=True):
        key = world, arm, each.run.seed
        other = places.get(key)
        if other is not None:
            older, each = sorted((other, each), key=lambda one: one.created)
            notes.append(f"{older.run.path} was skipped: {each.run.path} is a later run of {arm} with seed {key[2]}.")
        places[key] = each
    return {key: each.run for key, each in places.items()}


def _ordered(arms: Sequence[str], bases: Sequence[str]) -> list[str]:
    """Each arm once: federated ones as they come, then clients alone, then pooled."""
    rank = {LOCAL: 1, POOLED: 2}
    base = dict(zip(arms, bases, strict=True))
    return sorted(base, key=lambda arm: rank.get(base[arm], 0))


def _headline(runs: Sequence[ComparedRun], given: str | None) -> ScopedMetric:
    """The given one; else what all runs name, the task's usual one, or what most runs have."""
    known = Counter(name for run in runs for name in {*_metrics(run.final)})
    if given is not None:
        asked = ScopedMetric.of(given)
        found = asked.known and any(run.final.get(given) is not None for run in runs)
        if asked.metric not in known or (asked.scope and not found):
            raise refuse("metric", "a metric of these runs", given, near(given, {*known, *_in_parts(runs, known)}))
        return asked
    requested = {run.config.get("metric") for run in runs}
    own = [str(name) for name in requested if name and len(requested) == 1]
    first = next((name for name in (*own, *DEFAULT_METRIC.values()) if known[name] == len(runs)), None)
    return ScopedMetric("", first or max([*DEFAULT_METRIC.values(), *sorted(known)], key=known.__getitem__))


def _in_parts(runs: Sequence[ComparedRun], known: Container[str]) -> set[str]:
    """Names of metrics over domains or groups, and of each: `group.sex.worst.auc`."""
    names = {name: ScopedMetric.of(name) for run in runs for name in run.final}
    return {name for name, each in names.items() if PART.fullmatch(each.scope) and each.metric in known}


def _greater(metric: str, runs: Sequence[ComparedRun], given: Better | None) -> bool:
    """Whether more of the metric is better, as all the runs that tell say; as `given`, where none does."""
    stated = sorted({direction_name(run.directions[metric]) for run in runs if metric in run.directions})
    if len(stated) == 2:
        raise refuse(metric, "runs that agree on which way it improves", "both ways", "Compare them apart.")
    if given is not None and stated not in ([], [given]):
        raise refuse("--better", f"{stated[0]}, as the runs say of {metric}", given, "Leave it out.")
    if not stated and given is None:
        fix = (
            "Say --better higher or --better lower; for later runs, write @higher_is_better or @lower_is_better above "
            f"`def {metric}`, with: from fedmed.metrics import higher_is_better, lower_is_better"
        )
        raise refuse("metric", "a metric of which the runs tell which way it improves", metric, fix)
    return (stated[0] if stated else given) == "higher"


def _metrics(final: Mapping[str, object]) -> Iterable[str]:
    """Metrics that have a value, without their scope; neither those per class nor the ends of intervals."""
    for name, value in final.items():
        scope, metric = ScopedMetric.of(name)
        if scope in TOLD and value is not None:
            yield metric


def _reference(arms: Sequence[str], given: str | None, bases: Mapping[str, str]) -> str:
    if given is not None:
        if given not in arms:
            raise refuse("reference", "an arm of the comparison", given, near(given, arms))
        return given
    return next((arm for arm in arms if bases[arm] == "fedavg"), arms[0])


def _check_comparable(
    found: Sequence[FinishedRun], worlds: Sequence[str], flat: Sequence[Settings], *, force: bool
) -> list[str]:
    """Notes on what could not be checked, or, with force, on what differs; else raises UserError naming those runs."""
    faults = [*_differing(found, worlds, flat)]
    if faults and not force:
        raise UserError(*faults)
    notes = [f"Compared by force: {fault.where}: expected {fault.expected}, got {fault.got}." for fault in faults]
    if unknown := sum(each.fingerprints is None for each in found):
        runs = "The runs do" if unknown == len(found) else f"{unknown} of {len(found)} runs do"
        notes.append(f"{runs} not tell on which data and code they rest; whether they are the same was not checked.")
    return notes


def _differing(found: Sequence[FinishedRun], worlds: Sequence[str], flat: Sequence[Settings]) -> Iterator[Fault]:
    places = [(world, each.run.seed) for each, world in zip(found, worlds, strict=True)]
    methods = ["+".join(each.run.config.methods) for each in found]
    for name, meaning in SHARED.items():
        yield from _odd(found, places, name, f"{meaning} in one world with one seed")
    yield from _odd(found, methods, "strategy", "one version of a method's code")
    yield from _odd(
        found, [repr(sorted(each.items())) for each in flat], "files", "one content of the files that it reads"
    )


def _odd(found: Sequence[FinishedRun], groups: Sequence[Hashable], name: str, meaning: str) -> Iterator[Fault]:
    """One fault that names the runs whose fingerprint differs from what most of their group have; or none."""
    usual: dict[Hashable, Counter[str]] = defaultdict(Counter)
    known = [
        (each, group, each.fingerprints[name])
        for each, group in zip(found, groups, strict=True)
        if each.fingerprints is not None and each.fingerprints.get(name) is not None
    ]
    for _, group, value in known:
        usual[group][value] += 1
    odd = [(each, group) for each, group, value in known if value != usual[group].most_common(1)[0][0]]
    if odd:
        like = next(each for each, group, value in known if group == odd[0][1] and (each, group) not in odd)
        where = ", ".join(str(each.run.path) for each, _ in odd)
        yield Fault(where, meaning, f"another than {like.run.path} has", APART)
