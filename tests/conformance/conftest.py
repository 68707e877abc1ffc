"""Every strategy is a row, found by its file.

kind: the class. case: the strategy on each toy task; skipped with the reasons where its `check` refuses the task.
home: the strategy on the first task that it accepts, for what no task changes. method: its defaults.
"""

from __future__ import annotations

import pytest

from fedmed.method import Method
from tests.conformance.cases import Case, discover
from tests.toys import TOYS

STRATEGIES = discover()
CASES = [Case(name=name, kind=kind, task=task) for name, kind in STRATEGIES.items() for task in TOYS]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", STRATEGIES.values(), ids=STRATEGIES.keys())
    if "home" in metafunc.fixturenames:
        metafunc.parametrize("home", STRATEGIES, indirect=True)
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=[f"{c.name}-{c.task}" for c in CASES], indirect=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    if faults := chosen.refusals():
        pytest.skip(f"{chosen.name} refuses {chosen.task}: {'; '.join(map(str, faults))}")
    return chosen


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Case:
    return next(case for case in CASES if case.name == request.param and not case.refusals())


@pytest.fixture
def method(request: pytest.FixtureRequest) -> Method:
    row: Case = request.getfixturevalue("case" if "case" in request.fixturenames else "home")
    return row.method
