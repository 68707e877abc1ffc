import sys
from types import ModuleType

import pytest
from flwr.app import Message, RecordDict

from fedmed.flower import identify

NAME = "flwr.supercore.task_identity"


def test_messages_can_be_built_outside_flowers_processes() -> None:
    identify()
    assert Message(RecordDict(), 3, "train").metadata.dst_node_id == 3


def test_it_gives_the_numbers_that_flower_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(NAME)
    module.TaskIdentity = type("TaskIdentity", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, NAME, module)
    identify()
    assert {"run_id", "node_id", "task_id"} <= set(vars(module.TaskIdentity))


def test_a_flower_without_the_private_name_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    identify()


def test_the_identity_that_a_runtime_of_flower_has_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(NAME)
    module.TaskIdentity = type("TaskIdentity", (), {"run_id": 7, "node_id": 8, "task_id": 9})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, NAME, module)
    identify()
    assert module.TaskIdentity.run_id == 7
