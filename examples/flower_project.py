"""A Flower project of somebody's own that uses fedmed's methods: its net, its images, its two apps.

`python examples/flower_project.py` runs both apps in this process. In a project for `flwr run`, name them in
pyproject.toml instead; they stay as they are:

    [tool.flwr.app.components]
    clientapp = "flower_project:client"
    serverapp = "flower_project:server"
"""

from __future__ import annotations

from functools import cache

import torch
from flwr.app import ArrayRecord, Context, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp
from torch import nn

import fedmed

CLIENTS, ROUNDS = 4, 8
METHOD = fedmed.chain(fedmed.FedProx(mu=0.01), fedmed.Scaffold())


def make_net() -> fedmed.Net:
    """The project's own net, in two parts; the same initial weights everywhere."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten())
    return fedmed.Net(body, nn.Linear(32, 2))


def images(number: int, upright: float, seed: int) -> fedmed.Examples:
    """The project's own images: noise with a bright bar, upright in a given share of them, else level."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.rand(number, 1, 16, 16, generator=rng)
    y = (torch.rand(number, generator=rng) < upright).long()
    place = torch.randint(2, 14, (number,), generator=rng)
    x[y == 1, 0, :, place[y == 1]] += 1
    x[y == 0, 0, place[y == 0]] += 1
    return fedmed.Examples(x, y)


@cache
def hospital(client: int) -> fedmed.Share:
    """What one client holds: the one more upright bars, the other more level ones."""
    everything = images(120, upright=(client + 1) / (CLIENTS + 1), seed=client)
    return fedmed.Share(everything[:80], everything[80:100], everything[100:])


client = fedmed.client_app(
    METHOD,
    net=make_net(),
    task=fedmed.MultiClass(classes=2),
    training=fedmed.Training(optimizer=fedmed.Optimizer(lr=0.2), batch_size=16, epochs=2),
    share=hospital,
)

server = ServerApp()


@server.main()
def main(grid: Grid, context: Context) -> None:
    """Trains with the same method on whatever grid Flower gives, and says how it went."""
    net, unseen = make_net(), images(200, upright=0.5, seed=99)

    def evaluate(round: int, arrays: ArrayRecord) -> MetricRecord:
        net.load_state_dict(arrays.to_torch_state_dict())
        with torch.no_grad():
            correct = net(unseen.x).argmax(1) == unseen.y
        return MetricRecord({"accuracy": correct.double().mean().item()})

    plan = fedmed.MethodStrategy(METHOD, fedmed.ServerSettings(clients_per_round=3, seed=1))
    result = plan.start(grid, ArrayRecord(net.state_dict()), num_rounds=ROUNDS, evaluate_fn=evaluate)
    for round, scores in result.evaluate_metrics_serverapp.items():
        loss = result.train_metrics_clientapp[round]["loss"]
        print(f"round {round}  loss {loss:.3f}  accuracy {scores['accuracy']:.3f}")


if __name__ == "__main__":
    torch.set_num_threads(1)  # small nets are faster so
    server(fedmed.InProcessGrid(client, CLIENTS), Context(1, 0, {}, RecordDict(), {}))
