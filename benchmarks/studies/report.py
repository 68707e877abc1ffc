"""docs/results.md: what studies gave, as tables of means and paired differences, with a picture of these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.studies.outcome import Outcome
from fedmed.comparison.estimates import Estimate, difference, estimate

HEAD = """\
# Results

Whether the methods do what their papers claim, on synthetic worlds and on real images. This page is written by

```
python -m benchmarks.studies
```

which does every run that `runs/studies` does not hold, shared out over two processes, and tells what they gave. Below
each table stand the commands of its runs. How to read it:

- **Same start.** Runs with the same seed share images, partition, first weights and order of clients. Differences are
  therefore taken seed by seed, and given with the 95 % interval of their mean (Student's t). **Bold** where the
  interval leaves out 0. The intervals stand alone: nothing is corrected for how many of them there are.
- **Same budget.** Where arms have hyper-parameters to choose, each has equally many candidates, and validation chooses
  one, on seeds that are not reported. Ablations and references take the choice of the arm that they vary. All figures
  are of the last round, on test images with true labels.
- **Runs that failed** (they diverged, or a metric was undefined) are left out; "of 3 runs" says where there are fewer.
- **Local only** shares nothing between clients. **Pooled** trains one model on all clients' images, with as many
  gradient steps as all clients together.
"""


def write(outcomes: Sequence[Outcome], path: Path) -> None:
    """Writes the page, and a picture per study beside it."""
    pictures = path.parent / path.stem
    pictures.mkdir(parents=True, exist_ok=True)
    for outcome in outcomes:
        _picture(outcome, pictures / f"{outcome.study.name}.svg")
    glance = _table(
        "at a glance", ["world", "metric", "difference [95 %]"], [row for o in outcomes for row in _glance(o)]
    )
    path.write_text(
        "\n".join([HEAD, *glance, *(_section(outcome, pictures.name) for outcome in outcomes)]), encoding="utf-8"
    )


def _glance(outcome: Outcome) -> list[list[str]]:
    study = outcome.study
    return [
        [
            f"{ours} - {other}",
            world,
            study.metrics[0],
            _difference(against(outcome, world, ours, other), len(study.seeds)),
        ]
        for ours, other in study.glance
        for world in study.worlds
    ]


def _section(outcome: Outcome, pictures: str) -> str:
    study = outcome.study
    lines = [f"## {study.title}", "", f"**Claim.** {study.claim.strip()}", "", study.about.strip(), ""]
    lines += [f"![Differences to {study.reference}, with 95 % intervals]({pictures}/{study.name}.svg)", ""]
    for world in study.worlds:
        lines += [f"### {study.title.partition(',')[0]}: {world}", "", *_arms(outcome, world), ""]
        lines += _table(f"{study.metrics[0]}, difference", ["mean [95 %]"], _pairs(outcome, world))
        lines += _table("audit, last round", list(study.audits), _audits(outcome, world))
        if world in study.reading:
            lines += [study.reading[world].strip(), ""]
        lines += ["<details><summary>Commands</summary>", "", "```"]
        lines += [f"# {arm}\n{outcome.command(world, arm)}" for arm in study.arms]
        lines += ["```", "", "</details>", ""]
    return "\n".join(lines)


def _arms(outcome: Outcome, world: str) -> list[str]:
    study = outcome.study
    header = [*(f"{name} (sd)" for name in study.metrics), f"{study.metrics[0]} - {study.reference} [95 %]", "chosen"]
    rows = []
    for arm in study.arms:
        values = [outcome.values(world, arm, study.metric(name, arm)).values() for name in study.metrics]
        means = [_mean(given, len(study.seeds)) for given in values]
        gain = _difference(against(outcome, world, arm, study.reference), len(study.seeds))
        rows.append([arm, *means, gain, _chosen(outcome, world, arm)])
    return _table("arm", header, rows)[:-1]


def _pairs(outcome: Outcome, world: str) -> list[list[str]]:
    pairs, seeds = outcome.study.pairs, len(outcome.study.seeds)
    return [[f"{ours} - {other}", _difference(against(outcome, world, ours, other), seeds)] for ours, other in pairs]


def _audits(outcome: Outcome, world: str) -> list[list[str]]:
    rows = []
    for arm in outcome.study.arms:
        values = [outcome.audited(world, arm, columns).values() for columns in outcome.study.audits.values()]
        cells = [_mean(given, len(outcome.study.seeds)) for given in values]
        if any(cell != "-" for cell in cells):
            rows.append([arm, *cells])
    return rows


def against(outcome: Outcome, world: str, arm: str, reference: str) -> Estimate | None:
    """The paired difference in the headline metric, in both arms the one that either names; None without runs."""
    study, headline = outcome.study, outcome.study.metrics[0]
    metric = (study.arms[arm].metrics | study.arms[reference].metrics).get(headline, headline)
    ours, theirs = (outcome.values(world, name, metric) for name in (arm, reference))
    shared = ours.keys() & theirs.keys()
    if arm == reference or not shared:
        return None
    return difference({s: ours[s] for s in shared}, {s: theirs[s] for s in shared})


def _table(corner: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table and an empty line; nothing where there are no rows."""
    if not rows:
        return []
    lines = [[corner, *header], ["---"] * (len(header) + 1), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def _chosen(outcome: Outcome, world: str, arm: str) -> str:
    return " ".join(f"`{o.removeprefix('strategy.')}`" for o in outcome.chosen(world, arm))


def _mean(values: Iterable[float], seeds: int) -> str:
    found = list(values)
    if not found:
        return "-"
    given = estimate(found)
    text = f"{given.mean:.3f}" if given.number == 1 else f"{given.mean:.3f} ({given.sd:.3f})"
    return text + _missing(given, seeds)


def _difference(given: Estimate | None, seeds: int) -> str:
    if given is None:
        return ""
    text = f"{given.mean:+.3f} [{given.low:+.3f}, {given.high:+.3f}]"
    return (f"**{text}**" if given.apart else text) + _missing(given, seeds)


def _missing(given: Estimate, seeds: int) -> str:
    """Says so where not every run ended."""
    return "" if given.number == seeds else f" of {given.number} runs"


def _picture(outcome: Outcome, path: Path) -> None:
    """A dot and a bar per arm and world: the paired difference to the reference, with its interval."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "fedmed"
    study = outcome.study
    arms = [arm for arm in study.arms if arm != study.reference]
    figure = Figure(figsize=(3.4 * len(study.worlds) + 1.6, 0.28 * len(arms) + 1.1), layout="constrained")
    for axes, world in zip(
        figure.subplots(1, len(study.worlds), sharey=True, squeeze=False)[0], study.worlds, strict=True
    ):
        axes.axvline(0, color="0.6", linewidth=0.8)
        for place, arm in enumerate(reversed(arms)):
            if given := against(outcome, world, arm, study.reference):
                colour = "tab:green" if given.low > 0 else "tab:red" if given.high < 0 else "0.45"
                axes.plot([given.low, given.high], [place, place], color=colour, linewidth=2)
                axes.plot(given.mean, place, "o", color=colour, markersize=4)
        axes.set_yticks(range(len(arms)), list(reversed(arms)))
        axes.set_ylim(-0.6, len(arms) - 0.4)
        axes.set_title(world, fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(f"{study.metrics[0]}: difference to {study.reference}", fontsize="small")
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
