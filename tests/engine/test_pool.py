"""Worker processes; every strategy runs on them in tests/conformance/test_engines.py."""

import gc
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from flwr.app import ConfigRecord, Message, RecordDict

from fedmed.engine import worker
from fedmed.engine.local import InProcessGrid
from fedmed.engine.pool import PoolEngine, PoolGrid
from fedmed.engine.shared_memory import SharedMemoryBlock
from fedmed.engine.worker import TaskBuffers
from fedmed.engine.worker_factory import WorkerFactory
from fedmed.errors import UserError, refuse
from fedmed.flower import ClientFailure, LocalGrid
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Client, Method, Payload
from fedmed.options.code import resolve
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, federate, finite, grid_of, initial, same, trainer_of

TOY = TOYS["multiclass"]


@dataclass(frozen=True, kw_only=True)
class Odd(Method):
    """Does at one client what the others don't, and remembers the rounds it took part in.

    file: exists once it was done, so that it is done only once; none: always.
    """

    what: str = ""
    file: str = ""

    def report(self, client: Client) -> Payload:
        client.state["rounds"] = client.state.get("rounds", 0) + 1
        if client.id == 1 and not (self.file and Path(self.file).exists()):
            if self.file:
                Path(self.file).touch()
            _do(self.what)
        return {"rounds": torch.tensor([client.state["rounds"], client.id])}


def _do(what: str) -> None:
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        os._exit(3)
    if what == "fail":
        raise KeyError("lost")
    if what == "fail with what cannot be sent":
        raise type("Own", (Exception,), {})("lost")
    if what == "refuse":
        raise refuse("strategy.odd.what", "something else", what, "Choose another.")
    if what == "warn":
        warnings.warn("odd indeed", stacklevel=1)
    if what == "sleep":
        time.sleep(60)


def pool(method: Method, workers: int = 2, start: str = "auto") -> PoolGrid:
    factory = WorkerFactory(trainer_of(TOY, method), clients=3, threads=1, start=start)
    return PoolGrid(factory, 3, workers)


@pytest.fixture
def none_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def ask(method: Method, node: int, round: int = 1) -> Message:
    content = RecordDict({"arrays": pack(initial(TOY, method)), "config": ConfigRecord({"server-round": round})})
    return Message(content, node, "train")


def shared(message: Message) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in unpack(message.content.array_records["arrays"]).items()}


@pytest.mark.usefixtures("spawn_quickly")
def test_workers_spread_over_devices_and_a_lost_one_is_replaced_on_its_own(
    monkeypatch: pytest.MonkeyPatch, none_left: None
) -> None:
    both = [torch.device("cpu", 0), torch.device("cpu", 1)]  # the processor under two names
    monkeypatch.setattr("fedmed.engine.worker_factory.spread", lambda device: both)
    factory = WorkerFactory(trainer_of(TOY, FedAvg()), clients=3, threads=1, start="spawn")
    buffers = [(TaskBuffers(), TaskBuffers()) for _ in range(3)]
    started = factory.start_all(buffers, (SharedMemoryBlock(),))
    processes = [process for _, process in started]
    setups = [setup for setup, _ in started]
    try:
        assert [(s.device, s.sharers) for s in setups] == [(both[0], 2), (both[1], 2), (both[0], 2)]
        assert [s.buffers for s in setups] == buffers
        processes[1].kill()
        processes.append(factory.replacement(setups[1]))
        assert processes[3].process.pid not in [process.process.pid for process in processes[:3]]
        assert [s.open().device for s in setups] == [s.device for s in setups]
    finally:
        for process in processes:
            process.leave()


def test_gpus_get_so_many_workers_each_and_no_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr("fedmed.engine.pool.spread", lambda device: [device] * 3)
    monkeypatch.setattr("fedmed.engine.pool.WorkerFactory", lambda trainer, start, **_: start)
    monkeypatch.setattr("fedmed.engine.pool.PoolGrid", lambda start, clients, workers: asked.append((start, workers)))
    trainer = trainer_of(TOY, FedAvg())
    trainer.device = torch.device("cuda")
    for engine in (PoolEngine(), PoolEngine(workers_per_gpu=1), PoolEngine(workers=4)):
        engine.grid(trainer, 99)
    assert asked == [("auto", 6), ("auto", 3), ("auto", 4)]
    monkeypatch.setattr("fedmed.engine.worker_factory.spread", lambda device: [device])
    assert WorkerFactory(trainer, clients=1, threads=1, start="auto")._methods == ["spawn"]
    with pytest.raises(UserError, match="no forked process can use"):
        WorkerFactory(trainer, clients=1, threads=1, start="fork")


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_have_the_bits_of_one_process_in_every_use(start: str, none_left: None) -> None:
    method = Odd()
    with pool(method, start=start) as place:
        assert isinstance(place, LocalGrid)
        plain = federate(TOY, method, rounds=3, clients_per_round=2, by_clients=True)
        ended = federate(TOY, method, rounds=3, clients_per_round=2, by_clients=True, grid=place)  # type: ignore[arg-type]
        assert same(ended.shared, plain.shared)
        assert ended.losses == plain.losses
        assert [r.evaluated for r in ended.results] == [r.evaluated for r in plain.results]
        assert all(same(ended.memory(client), plain.memory(client)) for client in range(3))

        one = grid_of(TOY, method, kind=InProcessGrid)
        nodes = [3, 1, 2, 1, 1]
        asked = [ask(method, node) for node in nodes]
        for client in range(3):
            place.memory(client).clear()
        replies = place.send_and_receive(asked)
        expected = one.send_and_receive(asked)
        assert [m.metadata.src_node_id for m in replies] == nodes
        assert all(same(shared(a), shared(b)) for a, b in zip(replies, expected, strict=True))
        assert load_memory(place.memory(0)) == {"test_pool": {"rounds": 3}}

        streamed = place.stream([ask(method, node) for node in (1, 2, 3)])
        next(streamed)
        streamed.close()  # type: ignore[attr-defined]
        (again,) = place.send_and_receive([ask(method, 2)])
        assert same(shared(again), shared(replies[2]))
        assert list(place.get_node_ids()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("what", "kind", "text"),
    [
        ("fail", KeyError, "lost"),
        ("fail with what cannot be sent", RuntimeError, "Own: lost"),
        ("refuse", UserError, "strategy.odd.what: expected something else"),
    ],
)
def test_what_a_client_raises_comes_here(what: str, kind: type[Exception], text: str, none_left: None) -> None:
    with pool(Odd(what=what)) as place:
        replies = place.stream([ask(Odd(), node) for node in (1, 2, 3)])
        assert next(replies).metadata.src_node_id == 1
        failed = next(replies)
        assert isinstance(failed, ClientFailure)
        assert isinstance(failed.error, kind)
        assert text in str(failed.error)
        if kind is not UserError:
            notes = "\n".join(failed.error.__notes__)
            assert "client 1, round 1, stage report" in notes
            assert "in _do" in notes
        good, bad = place.send_and_receive([ask(Odd(), 3), ask(Odd(), 2)])
        assert bad.has_error()
        assert not good.has_error()
        assert load_memory(place.memory(1)) == {}


@pytest.mark.usefixtures("spawn_quickly")
def test_a_killed_worker_is_replaced_and_its_clients_run_again(tmp_path: Path, none_left: None) -> None:
    plain = federate(TOY, Odd(), rounds=2)
    with (
        pool(Odd(what="die", file=str(tmp_path / "done"))) as place,
        pytest.warns(UserWarning, match="client 1: its worker process was killed by SIGKILL; another"),
    ):
        ended = federate(TOY, Odd(), rounds=2, grid=place)  # type: ignore[arg-type]
    assert same(ended.shared, plain.shared)
    assert same(ended.memory(1), plain.memory(1))


@pytest.mark.usefixtures("spawn_quickly")
def test_a_client_that_kills_every_worker_ends_the_run_with_advice(none_left: None) -> None:
    with (
        pool(Odd(what="exit"), workers=1) as place,
        pytest.warns(UserWarning, match="gone with exit code 3"),
        pytest.raises(
            UserError,
            match=r"client 1, round 1, train, .* expected .* 2 that were gone with exit code 3.*engine.workers",
        ),
    ):
        federate(TOY, Odd(), rounds=1, grid=place)  # type: ignore[arg-type]


def test_closing_ends_workers_in_the_middle_of_a_client(none_left: None) -> None:
    place = pool(Odd(what="sleep"))
    replies = place.stream([ask(Odd(), node) for node in (1, 2, 3)])
    next(replies)
    began = time.monotonic()
    place.close()
    assert time.monotonic() - began < 5


def test_warnings_of_clients_are_heard_here(none_left: None) -> None:
    with pool(Odd(what="warn"), workers=1) as place, pytest.warns(UserWarning, match="odd indeed"):
        list(place.stream([ask(Odd(), 2)]))


def test_no_file_stays_open_and_no_shared_memory_stays(none_left: None) -> None:
    with pool(FedAvg(), workers=1) as place:
        list(place.stream([ask(FedAvg(), 1)]))
    del place
    gc.collect()
    open_files = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if n.isdigit() and _open(n)]
    assert not [name for name in open_files if "fedmed" in name and "memfd" in name]


def _open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


def test_where_torch_cannot_train_after_a_fork_workers_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a build of torch for GPUs does, once the run's process has trained; a forked worker inherits the patch."""
    monkeypatch.setattr(worker, "_can_train", lambda: False)
    with pytest.raises(UserError, match=r"engine.start: expected a process that has not trained yet"):
        pool(FedAvg(), start="fork")
    with pool(FedAvg(), workers=1):
        (child,) = multiprocessing.active_children()
        assert type(child).__name__ == "SpawnProcess"


def test_a_method_of_the_users_own_file_reaches_spawned_workers(tmp_path: Path, none_left: None) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from dataclasses import dataclass\nfrom fedmed.method import Method\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(Method):\n"
        "    def penalty(self, client, batch):\n        return batch.logits.square().mean()\n",
        encoding="utf-8",
    )
    method = resolve(f"{file}:Mine")()
    with pool(method, workers=1, start="spawn") as place:
        assert same(federate(TOY, method, grid=place).shared, federate(TOY, method).shared)  # type: ignore[arg-type]


def test_a_file_of_the_user_that_a_run_does_not_need_may_be_gone(tmp_path: Path, none_left: None) -> None:
    file = tmp_path / "before.py"
    file.write_text("value = 1\n", encoding="utf-8")
    assert resolve(f"{file}:value") == 1
    for text in ("import _lost\n", None):
        file.unlink() if text is None else file.write_text(text, encoding="utf-8")
        with pool(FedAvg(), workers=1, start="spawn") as place:
            assert finite(federate(TOY, FedAvg(), rounds=1, grid=place).shared)  # type: ignore[arg-type]


def test_the_engine_takes_as_many_workers_as_there_are_cores_but_no_more_than_clients(none_left: None) -> None:
    with PoolEngine().grid(trainer_of(TOY, FedAvg()), 1) as place:
        assert isinstance(place, PoolGrid)
        assert len(multiprocessing.active_children()) == 1
