from collections.abc import Iterable

import pytest

from fedmed.engine.local import InProcessGrid
from fedmed.flower import ClientError
from fedmed.flower import nodes as module
from fedmed.flower.nodes import await_nodes, client_nodes, roster
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, grid_of

TOY = TOYS["multiclass"]


class Arriving(InProcessGrid):
    """Nodes that come one at a time."""

    here = 0

    def get_node_ids(self) -> Iterable[int]:
        self.here += 1
        return range(1, min(self.here, 3) + 1)


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> InProcessGrid:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return grid_of(TOY, FedAvg(), kind=Arriving)  # type: ignore[no-any-return]


def test_the_server_waits_for_its_nodes_and_says_so(grid: InProcessGrid) -> None:
    message: list[str] = []
    await_nodes(grid, 3, within=10, say=message.append)
    assert message == [f"waiting for SuperNodes: {n} of 3 are there" for n in (1, 2)]


def test_nodes_that_do_not_come_are_missed(grid: InProcessGrid) -> None:
    with pytest.raises(ClientError, match=r"engine: expected 4 nodes within 0\.01 s, got 3"):
        await_nodes(grid, 4, within=0.01, say=lambda text: None)


def test_every_client_is_known_by_its_node_and_its_images() -> None:
    place = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    assert roster(place) == {0: 1, 1: 2, 2: 3}
    assert [member.images for member in client_nodes(place).values()] == [12, 12, 12]


def test_two_nodes_of_one_client_are_refused() -> None:
    place = grid_of(TOY, FedAvg(), kind=InProcessGrid)
    place.contexts[3].node_config["partition-id"] = 0
    with pytest.raises(ClientError, match="nodes 1 and 3: expected clients of different numbers, got client 0 twice"):
        client_nodes(place)
