"""What server and clients remember of one thing begins anew together, where coalitions form in the middle of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fedmed.method import Method, Report, Server, chain
from fedmed.strategies.feddyn import FedDyn
from fedmed.strategies.scaffold import Scaffold
from tests.toys import TOYS, federate

PARTS = ((0, 2), (1,))


@dataclass(frozen=True, kw_only=True)
class Later(Method):
    """One model for all, or one for each, in the first two rounds; then one for each of the parts."""

    alone: bool = False

    def split(self, server: Server, reports: Sequence[Report]) -> Tensor:
        everybody = tuple(server.clients)
        before = [(client,) for client in everybody] if self.alone else [everybody]
        parts = PARTS if server.round > 2 else before
        together = [[any({c, r.client} <= {*part} for part in parts) for r in reports] for c in everybody]
        return torch.tensor(together, dtype=torch.float64)


@pytest.mark.parametrize("alone", [False, True], ids=["from one model", "from one each"])
@pytest.mark.parametrize(
    ("method", "server", "client"), [(Scaffold(), "scaffold", "variate"), (FedDyn(), "feddyn", "h")]
)
def test_what_the_server_has_is_the_mean_of_what_its_clients_have(
    method: Method, server: str, client: str, alone: bool
) -> None:
    ended = federate(TOYS["multiclass"], chain(Later(alone=alone), method), rounds=5)
    assert [group.clients for group in ended.progress.groups] == [*PARTS]
    for group in ended.progress.groups:
        own = [ended.memory(k)[server][client] for k in group.clients]
        names = own[0].keys() & group.state[server].keys()
        assert names
        for name in names:
            mean = torch.stack([each[name] for each in own]).mean(0)
            assert torch.allclose(group.state[server][name], mean, atol=1e-6), f"{name} of {group.label}"


@pytest.mark.parametrize("method", [Scaffold(), FedDyn()], ids=["scaffold", "feddyn"])
def test_from_the_start_of_a_run_on_nothing_is_said_of_it(method: Method) -> None:
    ended = federate(TOYS["multiclass"], method, rounds=3)
    sent = {name for _, _, tensors in ended.grid.recorded for name in tensors}
    assert "@begun" not in sent | {*ended.memory(0)[str(chain(method))]}
