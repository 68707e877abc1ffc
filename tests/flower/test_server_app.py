from flwr.app import Context, RecordDict

from fedmed.engine.local import InProcessGrid
from fedmed.flower.records import pack
from fedmed.flower.server_app import server_app
from fedmed.strategies.fedavg import FedAvg
from tests.toys import TOYS, federate, grid_of, initial, same, strategy_of

TOY = TOYS["multiclass"]


def test_a_server_app_runs_the_strategy_on_the_grid_it_is_given() -> None:
    results = []
    plan = strategy_of(FedAvg(), after_round=lambda result: bool(results.append(result)))
    scored: list[int] = []
    app = server_app(plan, pack(initial(TOY, FedAvg())), 2, lambda round, arrays: scored.append(round))
    app(grid_of(TOY, FedAvg(), kind=InProcessGrid), Context(1, 0, {}, RecordDict(), {}))
    assert same(dict(results[-1].shared), federate(TOY, FedAvg(), rounds=2).shared)
    assert scored == [1, 2]
