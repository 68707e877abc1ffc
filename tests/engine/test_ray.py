"""engine=ray without Ray: a stand-in for Flower's simulation, which likewise runs the ServerApp beside this thread."""

import sys
import threading
from collections.abc import Callable
from inspect import signature
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
import torch
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from fedmed.engine import ray
from fedmed.engine.local import InProcessGrid
from fedmed.engine.ray import RayEngine
from fedmed.errors import UserError
from fedmed.flower.memory import hand_over_memory, read_memory, write_memory
from fedmed.run.apps import simulated_app
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, same, trainer_of

TRAINER = trainer_of(TOYS["multiclass"], FedAvg())


def app() -> ClientApp:
    """An app of a simulation that trains nobody."""
    made = ClientApp()

    @made.query("roster")
    def roster(message: Message, context: Context) -> Message:
        card = {"partition-id": int(context.node_config["partition-id"]), "num-examples": 1}
        return Message(RecordDict({"metrics": MetricRecord(card)}), reply_to=message)

    return hand_over_memory(made)


def in_process(server_app: ServerApp, client_app: ClientApp, num_supernodes: int, backend_config: Any) -> None:
    server_app(InProcessGrid(client_app, num_supernodes), Context(1, 0, {}, RecordDict(), {}))


Simulate = Callable[[Callable[..., None]], None]


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Simulate:
    """simulate(function): what `flwr.simulation.run_simulation` is."""

    def put(function: Callable[..., None]) -> None:
        module = ModuleType("flwr.simulation")
        vars(module)["run_simulation"] = function
        monkeypatch.setitem(sys.modules, "flwr.simulation", module)

    return put


def test_a_block_gets_the_grid_of_the_simulation_and_ends_it(simulate: Simulate) -> None:
    simulate(in_process)
    before = threading.active_count()
    with RayEngine().open(TRAINER, 3, app()) as grid:
        assert len(list(grid.get_node_ids())) == 3
        asked = [Message(RecordDict(), node, "query.roster") for node in (2, 1)]
        answers = {m.metadata.src_node_id: m for m in grid.send_and_receive(asked, timeout=1)}
        assert answers.keys() == {1, 2}
        assert grid.run.run_id == 1
    assert threading.active_count() == before


def test_the_memory_of_clients_is_asked_for_and_given_back(simulate: Simulate) -> None:
    simulate(in_process)
    memory: dict[str, Any] = {"mine": {"control": torch.arange(3.0), "round": 2}}
    with RayEngine().open(TRAINER, 3, app()) as grid:
        assert read_memory(grid, [0, 2]) == {}
        write_memory(grid, {2: memory})
        assert same(read_memory(grid, [0, 2]), {2: memory})


def test_options_reach_flower(simulate: Simulate) -> None:
    seen: list[Any] = []

    def keep(**given: Any) -> None:
        seen.append(given["backend_config"])
        in_process(**given)

    simulate(keep)
    with RayEngine(client_cpus=2, cpus=4).open(TRAINER, 1, app()):
        pass
    assert seen[0]["client_resources"] == {"num_cpus": 2}
    assert seen[0]["init_args"]["num_cpus"] == 4


def test_what_keeps_the_simulation_from_starting_is_told(simulate: Simulate) -> None:
    def fail(**given: Any) -> None:
        raise RuntimeError("Ending simulation.") from ValueError("ActorPool is empty")

    simulate(fail)
    with pytest.raises(RuntimeError, match="ended before the run: ActorPool is empty"):
        RayEngine().open(TRAINER, 1, app()).__enter__()


def test_a_simulation_that_dies_ends_the_wait_for_replies(simulate: Simulate) -> None:
    class Dead(InProcessGrid):
        def pull_messages(self, message_ids: Any) -> Any:
            return []

    def die(server_app: ServerApp, client_app: ClientApp, num_supernodes: int, backend_config: Any) -> None:
        grid = Dead(client_app, num_supernodes)
        context = Context(1, 0, {}, RecordDict(), {})
        threading.Thread(target=server_app, args=(grid, context), daemon=True).start()
        threading.Event().wait(0.1)
        raise ValueError("out of memory")

    simulate(die)
    with (
        pytest.raises(RuntimeError, match="ended before the run"),
        RayEngine().open(TRAINER, 1, app()) as grid,
    ):
        grid.send_and_receive([Message(RecordDict(), 1, "query.roster")])


def test_a_flower_without_its_simulation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flwr.simulation", None)
    with pytest.raises(UserError, match=r"^engine: expected flwr.simulation.run_simulation"):
        RayEngine().open(TRAINER, 1, app()).__enter__()


def test_without_ray_the_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"fedmed-sim\[ray\]"):
        RayEngine().check()


def test_clients_that_need_more_cores_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "find_spec", lambda name: True)
    with pytest.raises(UserError, match=r"engine.client_cpus: expected at most engine.cpus \(2\), got 3"):
        RayEngine(cpus=2, client_cpus=3).check()


def test_the_entry_that_the_engine_uses_is_still_flowers() -> None:
    from flwr.simulation import run_simulation

    assert {"server_app", "client_app", "num_supernodes", "backend_config"} <= set(signature(run_simulation).parameters)


def test_the_app_of_a_simulation_is_small_when_it_travels() -> None:
    pickled = cloudpickle.dumps(simulated_app("clients: 3\n"))
    assert len(pickled) < 10_000
    assert isinstance(cloudpickle.loads(pickled), ClientApp)


def test_a_client_takes_part_of_a_gpu_where_there_is_one() -> None:
    trainer = trainer_of(TOYS["multiclass"], FedAvg())
    trainer.device = torch.device("cuda")
    simulation: Any = RayEngine(client_gpus=0.25).open(trainer, 1, app())
    assert simulation._options["client_resources"] == {"num_cpus": 1.0, "num_gpus": 0.25}
    trainer.device = torch.device("cuda", 1)
    with pytest.raises(UserError, match="cuda, as Ray hands out the GPUs, got cuda:1"):
        RayEngine().open(trainer, 1, app())
