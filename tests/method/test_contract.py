from dataclasses import dataclass

import pytest
import torch

from fedmed.method import Client, Method, Report, Server
from fedmed.method.contract import HOOKS
from tests.toys import TOYS, job_of, trainer_of

EVERYTHING = [
    "check",
    "build",
    "prepare",
    "transform",
    "loss",
    "penalty",
    "correct",
    "report",
    "audit",
    "predict",
    "adjust",
    "split",
    "weights",
    "average",
    "update",
    "combine",
]


def test_the_hooks_are_the_documented_ones() -> None:
    assert list(HOOKS) == EVERYTHING
    assert all(getattr(Method, hook).__doc__ for hook in HOOKS)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("los", "loss"), ("penalise", "penalty"), ("weight", "weights"), ("on_report", "report"), ("combines", "combine")],
)
def test_a_misspelled_hook_is_refused_with_the_near_miss(name: str, nearest: str) -> None:
    with pytest.raises(TypeError, match=rf"FedX\.{name} is not a hook of Method\. Did you mean {nearest}\?"):
        type("FedX", (Method,), {name: lambda self: None})


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_misspelled_hook_of_another_kind_is_refused_too(kind: type) -> None:
    with pytest.raises(TypeError, match=r"FedX\.reports is not a hook of Method\. Did you mean report\?"):
        type("FedX", (Method,), {"reports": kind(lambda *given: None)})


def test_a_method_like_no_hook_is_refused_with_all_hooks() -> None:
    with pytest.raises(TypeError, match=r"zzzz is not a hook of Method\. \(Hooks: check, build, .*combine\.\)"):
        type("FedX", (Method,), {"zzzz": lambda self: None})


def test_private_helpers_and_constants_are_allowed() -> None:
    class FedX(Method):
        LIMIT = 3

        def _helper(self) -> int:
            return self.LIMIT

    assert FedX()._helper() == 3


def test_left_alone_it_counts_training_images_and_takes_the_mean() -> None:
    reports = [Report(client=i, examples=n, loss=0.0, payload={}, weights={}) for i, n in enumerate((3, 9))]
    server = Server(round=1, rounds=1, seed=0, clients=(0, 1), shared={}, state={})
    assert Method().weights(server, reports).tolist() == [3.0, 9.0]
    assert Method().weights(server, reports).dtype == torch.float64
    mean = {"a": torch.ones(1)}
    assert Method().update(server, {}, mean) is mean
    assert Method().combine(server, reports) == {}
    assert Method().local == ()


@dataclass(frozen=True, kw_only=True)
class Order(Method):
    """Notes which hook runs when."""

    def prepare(self, client: Client) -> None:
        client.state["seen"] = "prepare"

    def penalty(self, client: Client, batch: object) -> float:
        client.state["seen"] += f" penalty{client.step}"
        return 0.0

    def correct(self, client: Client) -> None:
        assert all(p.grad is not None for p in client.model.parameters())
        client.state["seen"] += f" correct{client.step}"

    def report(self, client: Client) -> dict[str, torch.Tensor]:
        client.state["seen"] += f" report{client.step}"
        return {}


def test_hooks_run_in_order_around_every_step() -> None:
    trainer = trainer_of(TOYS["multiclass"], Order())
    state = trainer.train(job_of(trainer)).state["test_contract"]
    steps = " ".join(f"penalty{i} correct{i}" for i in range(3))
    assert state["seen"] == f"prepare {steps} report3"


@pytest.mark.parametrize("hook", ["weights", "loss", "check"])
def test_an_option_named_as_a_hook_is_refused_by_name(hook: str) -> None:
    with pytest.raises(TypeError, match=rf"FedX\.{hook} is an option named as a hook of Method"):
        type("FedX", (Method,), {"__annotations__": {hook: bool}, hook: False})
    with pytest.raises(TypeError, match=rf"FedX\.{hook} is an option named as a hook of Method"):
        type("FedX", (Method,), {"__annotations__": {hook: bool}})
