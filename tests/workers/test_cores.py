import os

import pytest

from fedmed.workers.cores import cores, workers_for


@pytest.mark.parametrize(("threads", "workers"), [(1, 8), (2, 4), (3, 2), (8, 1), (9, 1)])
def test_workers_share_the_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, threads: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores() == 8
    assert workers_for(threads) == workers


def test_without_an_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores() == 6
