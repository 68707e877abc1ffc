"""Do the studies and write docs/results.md, with a page for each.

    python -m benchmarks.studies [fedia fedmlp ...] [--workers 2] [--root runs/studies] [--tell]

Run it at the root of the repository. Interrupt it at any time: runs that ended are kept. What a study gave is kept
beside its page, so that the overview tells of all of them wherever they ran.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.studies import overview, record, study_page
from benchmarks.studies.outcome import Outcome
from benchmarks.studies.running import Run, do
from benchmarks.studies.study import read

HERE = Path(__file__).parent
STUDIES = tuple(sorted(path.stem for path in HERE.glob("*.yaml")))


def main() -> None:
    """Tuning runs first, then those to report, study by study; then the pages."""
    given = _arguments()
    outcomes = [Outcome(read(HERE / f"{name}.yaml"), given.root) for name in given.studies]
    try:
        for outcome in outcomes:
            _do(outcome.study.name, "tuning", outcome.tuning(), given)
            _do(outcome.study.name, "reported", outcome.reported(), given)
    except KeyboardInterrupt:
        sys.exit("interrupted; what ended is kept, the same command goes on")
    folder = given.page.parent / given.page.stem
    for outcome in outcomes:
        record.save(record.recorded(outcome), folder / f"{outcome.study.name}.json")
    tell(given.page)
    print(given.page)


def tell(page: Path) -> None:
    """Writes the overview, and a page for every study of which there are figures beside it."""
    folder = page.parent / page.stem
    kept = [(read(HERE / f"{name}.yaml"), record.load(folder / f"{name}.json")) for name in STUDIES]
    told = [(study, figures) for study, figures in kept if figures]
    for study, figures in told:
        study_page.write(study, figures, folder)
    overview.write(told, page)


def _do(study: str, what: str, runs: list[Run], given: argparse.Namespace) -> None:
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - started) / done * (total - done)
        print(
            f"\r{study}: {what} run {done} of {total}, {left / 60:.0f} min left ", end="", file=sys.stderr, flush=True
        )

    do(runs, given.root, given.workers, show)
    failed = [run for run in dict.fromkeys(runs) if not (run.directory(given.root) / "final.json").exists()]
    print(f"\n{study}: {len(failed)} {what} runs failed", file=sys.stderr)
    for run in failed:
        print(f"  {run.directory(given.root)}.log: {' '.join(run.overrides)} seed={run.seed}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", help=f"of {', '.join(STUDIES)} (all of them); with --tell none is run")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--root", type=Path, default=Path("runs/studies"), help="where runs are kept")
    parser.add_argument("--page", type=Path, default=Path("docs/results.md"), help="what is written")
    parser.add_argument("--tell", action="store_true", help="run nothing, only write the pages anew")
    given = parser.parse_args()
    given.studies = [] if given.tell else given.studies or list(STUDIES)
    return given


if __name__ == "__main__":
    main()
