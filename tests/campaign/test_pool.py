import os

import pytest
import torch

from fedmed.campaign.pool import fitting


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(("threads", "workers"), [(1, 8), (2, 4), (3, 2), (9, 1)])
def test_threads_of_a_run_count_as_workers(threads: int, workers: int) -> None:
    configs = [{"device": "cpu", "torch_threads": 1}, {"device": "cpu", "torch_threads": threads}]
    assert fitting(configs) == workers


@pytest.mark.parametrize(("device", "workers"), [("cpu", 8), ("auto", 1), ("cuda", 1)])
def test_runs_on_a_gpu_have_it_to_themselves(monkeypatch: pytest.MonkeyPatch, device: str, workers: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    assert fitting([{"device": device, "torch_threads": 1}]) == workers
