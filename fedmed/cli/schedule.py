"""`fedmed schedule`: privacy budgets of hospitals, shared among the jobs of study teams."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stdout
from pathlib import Path
from shutil import get_terminal_size

from fedmed.cli.arguments import Parser
from fedmed.errors import refuse
from fedmed.files import runs_folder

USAGE = """\
fedmed schedule FILE [policy=NAME] [OPTION=VALUE ...] [--run] [--dry-run]
       fedmed schedule [FILE] --compare [beta=B,B,...] [workload=batch] [seeds=8]"""

ABOUT = """\
Decides which training jobs may spend how much privacy of which hospitals' images.
Privacy losses add up and never grow back, so epsilon is a currency: each hospital, or
each time slice of its images, is a block with a capacity, and a job demands epsilons.

  fedmed schedule jobs.yaml                       decides, prints, and keeps it in ledger.jsonl
  fedmed schedule jobs.yaml policy=dpack          by another policy (fedmed list policies)
  fedmed schedule jobs.yaml policy=dpbalance beta=2
  fedmed schedule jobs.yaml --run                 runs granted jobs by privacy=gaussian, too
  fedmed schedule jobs.yaml --compare             all policies on these jobs; decides nothing
  fedmed schedule --compare workload=arrivals     the same on synthetic jobs

A jobs file:

  blocks:                        # capacity: epsilon that all jobs together may spend
    north: 30.0
    south/2025: {capacity: 20.0, hospital: south, since: 0}
  delta: 0.00001                 # at which every epsilon is stated
  accounting: epsilon            # how losses add up: epsilon, or renyi (tighter)
  run: [dataset=npz, dataset.path=cells.npz, rounds=10]   # options of every run
  jobs:
    - name: cells
      analyst: alice
      demand: {north: 8.0, south/2025: 8.0}   # or one number, of every block
      weight: 1.0                # what it is worth; or loss: from=<run directory>
      arrives: 0                 # time at which it comes; periods are 0, 1, 2, ...
      patience: 3                # how long it waits (default: for ever)
      run: [strategy=fedprox, strategy.mu=0.1]

Hospitals are clients 0, 1, ... of every run, in the order of the file; a job runs among
those that it asks. The guarantee is for a hospital as a whole, as by privacy=gaussian.
The same command goes on where it stopped: what was granted stands, whatever became of it."""


def main(arguments: list[str]) -> int:
    """Decides, runs what is to be run, and tells; 1 where a run failed."""
    given = _parser().parse_intermixed_args(arguments)
    words = [word for word in given.words if "=" in word]
    files = [Path(word) for word in given.words if "=" not in word]
    if len(files) > 1 or (not files and not given.compare):
        got = " ".join(map(str, files)) or "none"
        raise refuse("fedmed schedule", "one jobs file", got, "See fedmed schedule --help.")
    if given.compare and (given.run or given.dry_run):
        raise refuse("--compare", "neither --run nor --dry-run, as it decides nothing", "both", "Leave one out.")
    return _compare(words, files, given) if given.compare else _schedule(words, files[0], given)


def _parser() -> Parser:
    parser = Parser("schedule", ABOUT)
    parser.usage = USAGE
    parser.add_argument("words", nargs="*", metavar="FILE, OPTION=VALUE", help="a jobs file, the policy, its options")
    parser.add_argument("--run", action="store_true", help="run granted jobs, and settle what they spent")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be decided; write nothing")
    parser.add_argument("--compare", action="store_true", help="replay all policies, without training or ledger")
    parser.add_argument("--ledger", type=Path, metavar="PATH", help="default: ledger.jsonl beside the jobs file")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="of --compare (default: runs/schedule)")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object on standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def _schedule(words: list[str], file: Path, given: Namespace) -> int:
    from fedmed.rundir.json_text import dumps
    from fedmed.scheduling.choice import policy_from, words_by_name
    from fedmed.scheduling.schedule import schedule

    policy = policy_from(words_by_name(words))
    try:
        with redirect_stdout(sys.stderr):
            found = schedule(
                file, policy, run=given.run, dry_run=given.dry_run, ledger=given.ledger, quiet=given.quiet or given.json
            )
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it stopped.", file=sys.stderr)
        return 130
    result = {"jobs": found.rows, "analysts": found.analysts, "blocks": found.blocks}
    print(dumps(result) if given.json else found.table(get_terminal_size().columns), flush=True)
    return 1 if found.failed else 0


def _compare(words: list[str], files: list[Path], given: Namespace) -> int:
    """Replays all policies, prints what they came to, and draws efficiency against fairness."""
    from dataclasses import asdict

    from fedmed.rundir.json_text import dumps
    from fedmed.scheduling.choice import replays_from
    from fedmed.scheduling.policy_comparison import compare_policies, draw_policies

    compared = compare_policies(*replays_from(words, files[0] if files else None))
    folder = given.output or runs_folder() / "schedule"
    draw_policies(compared, folder)
    result = {"policies": [asdict(row) for row in compared.rows], "shares": [asdict(row) for row in compared.shares]}
    print(dumps(result) if given.json else compared.table(get_terminal_size().columns), flush=True)
    print(f"wrote {folder / 'tradeoff.svg'} and .png", file=sys.stderr)
    return 0
