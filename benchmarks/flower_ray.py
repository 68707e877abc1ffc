"""FedAvg on Flower's own Ray simulation, as its quickstart does it: the reference for engines. Needs flwr[simulation].

    python benchmarks/flower_ray.py CLIENTS IMAGES ROUNDS

Prints, as JSON, when rounds ended (seconds since the epoch). Runs offline where it is started by engines.py.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
import torch.nn.functional as F
from bare_loop import BATCH, LR, SmallCNN, make_data
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

CLIENTS, IMAGES, ROUNDS = map(int, sys.argv[1:4])
client, server = ClientApp(), ServerApp()
data: list[tuple[torch.Tensor, torch.Tensor]] = []


@client.train()
def train(message: Message, context: Context) -> Message:
    """One epoch of SGD on the client's images."""
    torch.set_num_threads(1)
    if not data:
        data.extend(make_data(CLIENTS, IMAGES))
    x, y = data[int(context.node_config["partition-id"])]
    model = SmallCNN()
    model.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for index in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        F.cross_entropy(model(x[index]), y[index]).backward()
        optimizer.step()
    content = {"arrays": ArrayRecord(model.state_dict()), "metrics": MetricRecord({"num-examples": len(x)})}
    return Message(RecordDict(content), reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Runs FedAvg and prints when rounds ended."""
    stamps: list[float] = []

    def tick(round: int, arrays: ArrayRecord) -> MetricRecord:
        stamps.append(time.time())
        return MetricRecord({})

    FedAvg(fraction_evaluate=0.0, min_available_nodes=CLIENTS).start(
        grid,
        ArrayRecord(SmallCNN().state_dict()),
        ROUNDS,
        evaluate_fn=tick,
    )
    print(json.dumps({"rounds": stamps[1:]}))


if __name__ == "__main__":
    logging.getLogger("flwr").setLevel(logging.ERROR)
    resources = {"client_resources": {"num_cpus": 1}, "init_args": {"num_cpus": 2, "log_to_driver": False}}
    run_simulation(server, client, CLIENTS, backend_config=resources)
