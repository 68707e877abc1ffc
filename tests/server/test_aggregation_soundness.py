"""What the server makes of sound answers is checked too, and mistakes of a method's server half name hook and round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from fedmed.errors import UserError
from fedmed.method import Chain, Method, Payload, Report, Server
from fedmed.server import AdamServerOptimizer, Aggregation, AverageServerOptimizer, MomentumServerOptimizer

SHARED = {"w": torch.ones(2), "mask": torch.tensor([0.0, -torch.inf]), "count": torch.tensor(4)}


@dataclass(frozen=True, kw_only=True)
class Given(Method):
    """Returns what it is given from one hook."""

    hook: str = ""
    value: Any = field(default=None, compare=False)

    def weights(self, server: Server, reports: Sequence[Report]) -> Any:
        return self.value if self.hook == "weights" else super().weights(server, reports)

    def update(self, server: Server, old: Payload, mean: Payload) -> Any:
        return self.value(mean) if self.hook == "update" else mean

    def combine(self, server: Server, reports: Sequence[Report]) -> Any:
        if self.hook == "state":
            server.state["x"] = self.value
        if self.hook == "raise":
            raise KeyError("lost")
        return self.value if self.hook == "combine" else {}


def finish(method: Method, optimizer: Any = None, scale: float = 1.0) -> tuple[Payload, dict[str, Payload]]:
    server = Server(round=7, rounds=9, seed=0, clients=(0, 1), shared=SHARED, state={})
    chain = Chain({"given": method})
    aggregation = Aggregation(chain, server, optimizer or AverageServerOptimizer(), frozenset({"w"}))
    for client in range(2):
        weights = {**SHARED, "w": SHARED["w"] * scale * (client + 1), "count": torch.tensor(5 + client)}
        aggregation.add(Report(client=client, examples=3, loss=0.1, payload={}, weights=weights), {})
    return aggregation.finish()


@pytest.mark.parametrize(
    ("hook", "value", "message"),
    [
        ("combine", 3, "given.combine, round 7: expected what it returns as a dict of tensors by name, got int 3"),
        ("combine", None, "got NoneType"),
        ("combine", {"p": [1.0]}, "got list under 'p'"),
        ("combine", {"p": torch.tensor(torch.nan)}, "expected finite tensors, got nan in p"),
        (
            "weights",
            [1.0, 2.0],
            "given.weights, round 7: expected a tensor with a weight for each of 2",
        ),
        ("weights", torch.ones(3), "got a tensor of shape (3,)"),
        ("weights", torch.zeros(2), "expected weights whose sum is finite and not 0, got [0.0, 0.0]"),
        ("weights", torch.tensor([1.0, torch.nan]), "got [1.0, nan]"),
        ("update", lambda mean: None, "given.update, round 7: expected the new weights as a dict of tensors"),
        ("update", lambda mean: {"w": mean["w"]}, "none named count, mask"),
        ("update", lambda mean: {**mean, "v": mean["w"]}, "also v"),
        ("update", lambda mean: {**mean, "w": mean["w"][:1]}, "expected w as (2,) float32, got (1,) float32"),
        ("update", lambda mean: {**mean, "w": mean["w"].double()}, "expected w as (2,) float32, got (2,) float64"),
        ("update", lambda mean: {**mean, "w": mean["w"] / 0}, "expected finite new weights, got inf in w"),
        (
            "state",
            object(),
            "given, server.state['x']: expected a tensor, a number, text, or a dict",
        ),
        ("state", {"deep": {1: lambda: 0}}, "server.state['x']['deep'][1]"),
    ],
)
def test_mistakes_of_a_server_half_name_method_hook_and_round(hook: str, value: Any, message: str) -> None:
    with pytest.raises(UserError) as raised:
        finish(Given(hook=hook, value=value))
    assert message in str(raised.value)
    assert "round 7" in str(raised.value)


def test_what_a_hook_raises_gets_a_note_of_whose_it_is() -> None:
    with pytest.raises(KeyError, match="lost") as raised:
        finish(Given(hook="raise"))
    assert raised.value.__notes__ == ["fedmed: in given.combine, round 7"]


@pytest.mark.parametrize("value", [None, 1, 2.5, "a", True, (1, None), [torch.ones(1)], {3: torch.ones(1)}])
def test_a_servers_state_holds_what_a_checkpoint_can(value: Any) -> None:
    finish(Given(hook="state", value=value))


def test_whole_numbers_stay_whole_when_update_steps_all_entries() -> None:
    def halfway(mean: Payload) -> Payload:
        return {name: t if name == "mask" else SHARED[name] + 0.5 * (t - SHARED[name]) for name, t in mean.items()}

    half = Given(hook="update", value=halfway)
    new, _ = finish(half)
    assert (new["count"].dtype, int(new["count"])) == (torch.int64, 6)
    assert new["w"].tolist() == [1.25, 1.25]


def test_an_entry_that_was_not_finite_when_it_was_sent_may_stay_so() -> None:
    assert finish(Method())[0]["mask"].tolist() == [0.0, -torch.inf]


@pytest.mark.parametrize(
    ("optimizer", "scale", "message"),
    [
        (AverageServerOptimizer(), 1e38, "expected finite entries in the mean over clients"),
        (AverageServerOptimizer(lr=1e30), 1e20, "finite entries in the weights after the server's step, got inf in w"),
        (MomentumServerOptimizer(lr=1e30), 1e20, "the weights after the server's step"),
        (AdamServerOptimizer(), 1e25, "finite entries in the server optimizer's second, got inf in w"),
    ],
)
def test_a_step_that_is_not_finite_is_refused_where_every_answer_was_sound(
    optimizer: Any, scale: float, message: str
) -> None:
    with pytest.raises(UserError) as raised:
        finish(Method(), optimizer, scale)
    assert message in str(raised.value)
    assert "round 7, aggregate, strategy given" in str(raised.value)


@dataclass(frozen=True, kw_only=True)
class Reads(Method):
    """Reads every client's weights on the server."""

    def combine(self, server: Server, reports: Sequence[Report]) -> Payload:
        return {"spread": torch.stack([report.weights["w"] for report in reports]).std(0)}


@dataclass(frozen=True, kw_only=True)
class Keeps(Reads):
    """Says so."""

    keeps_weights: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Weighs(Reads):
    """Weighs too."""

    def weights(self, server: Server, reports: Sequence[Report]) -> Tensor:
        return super().weights(server, reports)


def test_weights_are_held_for_those_that_say_so_and_refused_with_words_to_others() -> None:
    with pytest.raises(
        UserError,
        match=r"given.combine, round 7, Report.weights: expected .* keeps_weights = True, got one that has none",
    ):
        finish(Reads())
    new, inbox = finish(Keeps())
    assert inbox["given"]["spread"].tolist() == pytest.approx([0.5**0.5] * 2)
    assert torch.equal(new["w"], finish(Method())[0]["w"])
    assert torch.equal(inbox["given"]["spread"], finish(Weighs())[1]["given"]["spread"])
