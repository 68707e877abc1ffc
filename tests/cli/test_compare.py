"""`fedmed compare` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fresh import Fedmed

SMALL = ("clients=3", "rounds=2", "batch_size=16", "dataset.images=160", "dataset.test_images=40", "model.width=4")


def test_a_comparison_from_the_command_to_the_page(fedmed: Fedmed, tmp_path: Path) -> None:
    code, out, err = fedmed("compare", *SMALL, "strategy=fedavg,fedprox", "seed=0,1", "--workers", 2)
    assert code == 0, err
    assert err.splitlines()[0] == "8 runs: 8 to do by 2 workers"
    assert "8/8 runs" in err.splitlines()[-1]
    for word in ("fedavg", "fedprox", "local-only", "pooled"):
        assert word in out, out
    (page,) = (tmp_path / "runs" / "comparisons").glob("fedavg-fedprox_*/report.html")
    assert out.splitlines()[-1] == f"wrote {page.relative_to(tmp_path)}"
    runs = [path.name for path in (tmp_path / "runs" / "compare").iterdir()]
    assert len(runs) == 8

    # one strategy more: only that is done
    more = ("compare", *SMALL, "strategy=fedavg,fedprox,scaffold", "seed=0,1")
    code, out, err = fedmed(*more)
    assert (code, err.splitlines()[0]) == (0, f"10 runs, 8 of them done before: 2 to do by {_cores()} workers"), err
    assert "scaffold" in out
    code, again, err = fedmed(*more)
    assert (code, again, err) == (0, out, "10 runs, all of them done before\n")

    # and reading alone gives the same tables, whether by runs or by the comparison's own folder
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "compare").rglob("*")}
    code, read, err = fedmed("compare", "--from", "runs/compare", "--output", "read")
    assert (code, _tables(read)) == (0, _tables(out)), err
    code, read, err = fedmed("compare", "--from", page.parent.relative_to(tmp_path))
    assert (code, read.splitlines()[-1]) == (0, f"wrote {page.relative_to(tmp_path)}"), err
    assert "scaffold" not in read
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs" / "compare").rglob("*")} == before


def test_a_run_that_fails_is_named_at_the_end_and_on_record(fedmed: Fedmed, tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "broken.py").write_text(BROKEN, encoding="utf-8")
    given = ("compare", *SMALL, "strategy=fedavg,broken", "seed=0", "--no-references", "--quiet")
    code, out, err = fedmed(*given)
    assert code == 1
    assert "fedavg" in out
    assert "broken seed=0 failed" in out
    message = err.splitlines()
    assert message[-2].startswith("failed: broken seed=0: ")
    assert "out of luck" in message[-2]
    assert message[-1] == "fedmed: 1 of 2 runs failed, as said above"
    (record,) = (tmp_path / "runs" / "comparisons").glob("*/comparison.json")
    assert [("error" in run) for run in json.loads(record.read_text(encoding="utf-8"))["runs"]] == [False, True]

    # with the method mended, it is another run, and the same command succeeds
    (tmp_path / "strategies" / "broken.py").write_text(BROKEN.replace("raise", "pass  #"), encoding="utf-8")
    code, out, err = fedmed(*given)
    assert (code, err) == (0, "")


BROKEN = '''\
"""A method of the test's own."""

from dataclasses import dataclass

from fedmed.method import Client, Method


@dataclass(frozen=True, kw_only=True)
class Broken(Method):
    """Fails at once."""

    def prepare(self, client: Client) -> None:
        raise ValueError("out of luck")
'''


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workers", "0"), "--workers: expected a number from 1 on, got 0"),
        (("--workers", "two"), "--workers"),
        (("--worker", "2"), "--worker"),
        (("rounds=0", "strategy=fedavg,fedproxx"), "rounds: expected"),
        (("rounds=0", "strategy=fedavg,fedproxx"), "Did you mean fedprox"),
        (("--from", "nowhere"), "nowhere: expected"),
        (("--from", "runs", "--quiet", "seed=0"), "--from"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], words: str, fedmed: Fedmed, tmp_path: Path
) -> None:
    code, out, err = fedmed("compare", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_help_answers_without_torch_and_shows_examples() -> None:
    code = "import sys; from fedmed.cli.main import main\ntry: main(['compare', '--help'])\n"
    code += "except SystemExit: print('torch' in sys.modules, 'hydra' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    assert "fedmed compare strategy=fedavg,scaffold,fedprox,fedprox+fednpr seed=0,1,2,3,4" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"


def _tables(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("wrote ")]


def _cores() -> int:
    import os

    return min(2, len(os.sched_getaffinity(0)))
