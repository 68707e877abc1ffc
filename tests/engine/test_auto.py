"""engine=auto chooses between engines of the same bits."""

import pytest
import torch

from fedmed.engine import auto
from fedmed.engine.auto import AutoEngine
from fedmed.engine.base import Engine, Workload
from fedmed.engine.inprocess import InprocessEngine
from fedmed.engine.pool import PoolEngine
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, initial, same, trainer_of

TOY = TOYS["multiclass"]
LONG = Workload(clients=3, images=10**9)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine of four cores, in whose main process nothing else runs."""
    monkeypatch.setattr("fedmed.workers.cores.cores", lambda: 4)
    monkeypatch.setattr(auto, "parent_process", lambda: None)
    monkeypatch.setattr("threading.active_count", lambda: 1)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    return monkeypatch


def choose(load: Workload = LONG, **options: int) -> tuple[Engine, str]:
    message: list[str] = []
    engine = AutoEngine(**options).fitted(trainer_of(TOY, FedAvg()), load, message.append)
    (line,) = message
    return engine, line


def test_a_long_run_on_several_cores_gets_a_pool_no_larger_than_a_round(machine: pytest.MonkeyPatch) -> None:
    assert choose() == (PoolEngine(workers=3), "engine=auto: 3 worker processes")
    assert choose(replace_clients(99)) == (PoolEngine(workers=4), "engine=auto: 4 worker processes")
    assert choose(workers=2)[0] == PoolEngine(workers=2)


def replace_clients(clients: int) -> Workload:
    return LONG._replace(clients=clients)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("fedmed.workers.cores.cores", lambda: 1, "there is one core"),
        ("fedmed.engine.auto.parent_process", lambda: object(), "this one is a worker itself"),
        ("threading.active_count", lambda: 2, "other threads run here"),
        ("sys.platform", "win32", "Windows"),
    ],
)
def test_where_workers_cannot_be_or_do_not_help_there_is_one_process(
    machine: pytest.MonkeyPatch, name: str, value: object, why: str
) -> None:
    machine.setattr(name, value)
    engine, message = choose()
    assert engine == InprocessEngine()
    assert message.startswith(f"engine=auto: one process, as {why}")


def test_short_runs_and_rounds_of_one_client_stay_in_one_process(machine: pytest.MonkeyPatch) -> None:
    assert choose(Workload(clients=3, images=9)) == (
        InprocessEngine(),
        "engine=auto: one process, as the run is short (about 0 s)",
    )
    assert choose(replace_clients(1))[1] == "engine=auto: one process, as one client trains in a round"


def test_one_gpu_is_one_place_and_two_are_four(machine: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(TOY, FedAvg())
    trainer.device = torch.device("cuda")
    for number, places in ((1, 1), (2, 4)):
        machine.setattr(auto, "spread", lambda device, number=number: [device] * number)
        assert auto._places(trainer) == places


def test_choosing_changes_neither_the_weights_nor_what_torch_draws_next(machine: pytest.MonkeyPatch) -> None:
    trainer, before = trainer_of(TOY, FedAvg()), torch.get_rng_state()
    AutoEngine().fitted(trainer, LONG, lambda text: None)
    assert same(trainer.shared, initial(TOY, FedAvg()))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(parameter.grad is not None for parameter in trainer.net.parameters())
