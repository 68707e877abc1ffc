"""What scheduling policies are worth in trained models: 3 analysts with 4 jobs each on real images, at 40 hospitals.

    python -m benchmarks.schedule_runs FOLDER [--capacity 120]

FOLDER holds wbc_64.npz, mednist.npz and breast_us_128.npz, itself or in folders below. All 12 jobs are run once, each
at its own epsilon (runs/schedule_runs; the same command goes on where it stopped): what a job's run gives does not
depend on who else is granted. Then each policy says which of them it grants, and accuracies of those are added up.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from fedmed.options.catalogue import options_of
from fedmed.options.groups import POLICIES
from fedmed.rundir.directory import RunDirectory
from fedmed.scheduling.choice import made
from fedmed.scheduling.schedule import schedule

HOSPITALS = [f"h{number:02}" for number in range(40)]
FIRST, SECOND = HOSPITALS[:20], HOSPITALS[20:]

SHARED = ["dataset=npz", "dataset.resize=16", "dataset.target=labels", "model.width=4", "partition=iid"]
SHARED += ["engine=cohort", "scopes=[test]", "client_test=0.0", "optimizer.lr=0.05"]

CELLS = ["rounds=30", "epochs=5", "privacy.clip_norm=0.5", "eval_every=30"]
MODALITIES = ["rounds=8", "epochs=1", "privacy.clip_norm=0.5", "eval_every=8"]
LESIONS = ["rounds=30", "epochs=8", "clip_norm=1.0", "privacy.clip_norm=1.0", "eval_every=30"]

ANALYSTS: dict[str, tuple[str, list[str], list[tuple[float, list[str]]]]] = {
    "alice": ("wbc_64.npz", CELLS, [(60, HOSPITALS), (60, HOSPITALS), (30, FIRST), (30, SECOND)]),
    "bob": ("mednist.npz", MODALITIES, [(20, HOSPITALS), (20, HOSPITALS), (10, HOSPITALS), (10, HOSPITALS)]),
    "carol": ("breast_us_128.npz", LESIONS, [(40, HOSPITALS), (40, FIRST), (20, SECOND), (20, HOSPITALS)]),
}
"""The images of each analyst, options of the runs, and the epsilons of the jobs with the hospitals that they ask."""


def jobs(folder: Path) -> Iterator[dict[str, Any]]:
    """The jobs in the order of their arrival, the first of each analyst first; every other one by FedProx."""
    for number in range(4):
        for analyst, (name, options, demands) in ANALYSTS.items():
            epsilon, hospitals = demands[number]
            prox = ["strategy=fedprox", "strategy.mu=0.01"] if number % 2 else []
            yield {
                "name": f"{analyst}{number + 1}",
                "analyst": analyst,
                "demand": dict.fromkeys(hospitals, float(epsilon)),
                "run": [f"dataset.path={next(folder.rglob(name))}", *options, *prox],
            }


def main() -> None:
    """Runs all jobs and prints what each policy would have given each analyst."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--capacity", type=float, default=120.0, help="epsilon of each hospital (120)")
    given = parser.parse_args()
    listed = list(jobs(given.folder.resolve()))
    plenty = {"blocks": dict.fromkeys(HOSPITALS, 1000.0), "run": SHARED, "jobs": listed}
    done = schedule(plenty, run=True, ledger=Path("runs/schedule_runs/ledger.jsonl"), quiet=True)
    found = {name: _scores(Path(grant.directory)) for name, grant in done.state.grants.items()}
    for row in done.rows:
        spent = next(iter((row["spent"] or {}).values()), None)
        print(row["job"], row["status"], f"epsilon {spent:.2f}", found[row["job"]])
    scarce = {**plenty, "blocks": dict.fromkeys(HOSPITALS, given.capacity)}
    for name, option in sorted(options_of([POLICIES]).options["policy"].items()):
        decided = schedule(scarce, made(option, {}), dry_run=True, ledger=Path("runs/schedule_runs/none.jsonl"))
        print(name, *_analysts(decided.rows, found), sep="\n   ")


def _scores(directory: Path) -> tuple[float, float]:
    """Accuracy and balanced accuracy of a run on the server's test images; 0 where it has failed."""
    final = RunDirectory.open(directory).final() or {}
    return round(final.get("test.accuracy", 0.0), 3), round(final.get("test.balanced_accuracy", 0.0), 3)


def _analysts(rows: list[dict[str, Any]], found: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    """A line per analyst: granted jobs, and their accuracies and balanced accuracies as sums and as means."""
    for analyst in ANALYSTS:
        granted = [row["job"] for row in rows if row["analyst"] == analyst and row["status"] == "granted"]
        scores = list(zip(*(found[name] for name in granted), strict=True)) or [(0.0,), (0.0,)]
        sums = ", ".join(f"{sum(each):.3f} (mean {fmean(each):.3f})" for each in scores)
        yield f"{analyst}: {', '.join(granted) or 'none'}; accuracy, balanced accuracy: {sums}"


if __name__ == "__main__":
    main()
