"""What devices are called, found and filled; GPUs are pretended, as the machines that test this have none."""

import sys

import pytest
import torch

from fedmed import devices, rng
from fedmed.errors import UserError


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: ["Large", "Small"][i])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_processor_and_cuda_is_refused() -> None:
    assert devices.device_of("auto") == devices.device_of("cpu") == devices.PROCESSOR
    for name in ("cuda", "cuda:0"):
        with pytest.raises(UserError, match=r"expected a GPU that torch can use, got none\. Set device=cpu, or auto"):
            devices.device_of(name)


@pytest.mark.usefixtures("two_gpus")
def test_with_gpus_auto_is_any_of_them_and_one_that_is_not_there_is_refused_by_name() -> None:
    assert devices.device_of("auto") == devices.device_of("cuda") == torch.device("cuda")
    assert devices.device_of("cpu") == devices.PROCESSOR
    assert devices.device_of("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match=r"got cuda:3. There is cuda:0 \(Large\), cuda:1 \(Small\)"):
        devices.device_of("cuda:3")


@pytest.mark.usefixtures("two_gpus")
def test_workers_spread_over_all_gpus_unless_one_is_named() -> None:
    first, second = torch.device("cuda", 0), torch.device("cuda", 1)
    assert devices.spread(torch.device("cuda")) == [first, second]
    assert devices.spread(second) == [second]
    assert devices.spread(devices.PROCESSOR) == [devices.PROCESSOR]
    assert [devices.drawn_from(d) for d in (torch.device("cuda"), second, devices.PROCESSOR)] == [[0], [1], []]


@pytest.mark.usefixtures("two_gpus")
def test_processes_on_one_gpu_share_the_room_for_images() -> None:
    assert devices.room(torch.device("cuda", 0), sharers=1) == 1000 * devices.FILLED
    assert devices.room(torch.device("cuda", 0), sharers=4) == 1000 * devices.FILLED / 4
    assert devices.room(devices.PROCESSOR, sharers=4) == sys.maxsize


def test_nested_tensors_move_and_what_is_there_stays_the_same() -> None:
    there, gone = torch.ones(2), torch.ones(2, device="meta")
    found = devices.moved({"a": {"b": there, "c": 3}, "d": "text", "e": None}, devices.PROCESSOR)
    assert found == {"a": {"b": there, "c": 3}, "d": "text", "e": None}
    assert found["a"]["b"] is there
    assert devices.moved({"a": {"b": there}}, gone.device)["a"]["b"].device == gone.device


def test_a_gpu_draws_dropout_from_the_seed_of_the_client_round(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeds.append)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    with torch.random.fork_rng(devices=[]):
        rng.seed_dropout(3, 1, 2)
        assert seeds == []
        rng.seed_dropout(3, 1, 2, device=torch.device("cuda", 1))
        assert seeds == [torch.initial_seed()] == [rng.seed_of(3, "dropout", 1, 2)]
