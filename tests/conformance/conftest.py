"""Every strategy is a row, found by its file.

kind: the class. case: the strategy on each toy task; skipped with the reasons where its `check` refuses the task. The
    strategies of `EVERYWHERE` run on all of them; of the others, whose hooks know no task, one is a default test and
    the rest are slow ones.
home: the strategy on the first task that it accepts, for what no task changes. method: its defaults.
"""

from __future__ import annotations

from typing import Any

import pytest

from fedmed.method import Method
from tests.conformance.cases import Case, discover
from tests.toys import TOYS

STRATEGIES = discover()
CASES = [Case(name=name, kind=kind, task=task) for name, kind in STRATEGIES.items() for task in TOYS]
EVERYWHERE = ("fedavg", "fedia", "fedmlp", "fednpr", "fedplvm")


def _homes() -> dict[str, Case]:
    """The first case of every strategy that it accepts."""
    return {case.name: case for case in reversed(CASES) if not case.refusals()}


HOMES = _homes()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", STRATEGIES.values(), ids=STRATEGIES.keys())
    if "home" in metafunc.fixturenames:
        metafunc.parametrize("home", STRATEGIES, indirect=True)
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [_row(case) for case in CASES], indirect=True)


def _row(case: Case) -> Any:
    slow = case.name not in EVERYWHERE and case != HOMES[case.name]
    return pytest.param(case, id=f"{case.name}-{case.task}", marks=[pytest.mark.slow] if slow else [])


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    if faults := chosen.refusals():
        pytest.skip(f"{chosen.name} refuses {chosen.task}: {'; '.join(map(str, faults))}")
    return chosen


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Case:
    return HOMES[request.param]


@pytest.fixture
def method(request: pytest.FixtureRequest) -> Method:
    row: Case = request.getfixturevalue("case" if "case" in request.fixturenames else "home")
    return row.method
