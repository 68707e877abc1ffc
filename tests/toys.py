"""Small federations for tests: images that a net of a few weights can learn, three clients, one call to run them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fedmed import rng
from fedmed.client import ClientRequest, Trainer, TrainerSpec, Training
from fedmed.data.examples import Examples
from fedmed.data.world import Share as Held
from fedmed.engine.local import InProcessGrid
from fedmed.flower import (
    ClientFailure,
    EvaluationPlan,
    MethodStrategy,
    RoundCallbacks,
    RoundResult,
    ServerSettings,
    ServerState,
    client_app,
    strategy,
)
from fedmed.flower.records import load_memory, pack, unpack
from fedmed.method import Chain, Method, Payload, Setup, chain
from fedmed.models.net import Net, fixed, scope
from fedmed.optimizers import Optimizer
from fedmed.tasks import MultiClass, MultiLabel, Segmentation, Task

SIDE = 8
TRAINING = Training(optimizer=Optimizer(lr=0.1), batch_size=4)
"""Plain SGD; a client with its twelve images does three steps a round."""


@dataclass(frozen=True, kw_only=True)
class Toy:
    """A task, what each client holds, and how to make the net, with the same weights at every call."""

    task: Task
    shares: tuple[Held, ...]
    make: Callable[[], Net]

    def net(self) -> Net:
        with rng.seeded(0, "toy weights"):
            return self.make()

    def with_train(self, client: int, change: Callable[[Examples], Examples]) -> Toy:
        """The same toy with other training images at one client."""
        shares = list(self.shares)
        shares[client] = replace(shares[client], train=change(shares[client].train))
        return replace(self, shares=tuple(shares))


def classifier(outputs: int, norm: bool = True) -> Net:
    layers = OrderedDict[str, nn.Module](conv=nn.Conv2d(1, 4, 3, stride=2, padding=1))
    if norm:
        layers["norm"] = nn.BatchNorm2d(4)
    return Net(nn.Sequential(layers | {"relu": nn.ReLU(), "flatten": nn.Flatten()}), nn.Linear(4 * 4 * 4, outputs))


def segmenter(outputs: int) -> Net:
    layers = OrderedDict[str, nn.Module](conv=nn.Conv2d(1, 4, 3, padding=1), norm=nn.BatchNorm2d(4), relu=nn.ReLU())
    return Net(nn.Sequential(layers), nn.Conv2d(4, outputs, 1))


def multiclass(rows: int, seed: int = 0, classes: int = 3) -> Examples:
    """A bright pair of columns says which class."""
    x, g = _noise(rows, seed)
    y = torch.randint(classes, (rows,), generator=g)
    y[:classes] = torch.arange(classes)[:rows]
    for i, c in enumerate(y.tolist()):
        x[i, 0, :, 2 * c : 2 * c + 2] += 1
    return Examples(x, y)


def multilabel(rows: int, seed: int = 0, findings: int = 3) -> Examples:
    """Each finding is a bright pair of columns of its own."""
    x, g = _noise(rows, seed)
    y = torch.randint(2, (rows, findings), generator=g).float()
    for i, c in y.nonzero().tolist():
        x[i, 0, :, 2 * c : 2 * c + 2] += 1
    return Examples(x, y)


def segmentation(rows: int, seed: int = 0, classes: int = 3) -> Examples:
    """A square of three pixels a side for every class but the background, the brighter the higher the class."""
    x, g = _noise(rows, seed)
    y = torch.zeros(rows, SIDE, SIDE, dtype=torch.uint8)
    for i in range(rows):
        for c in range(1, classes):
            top, left = torch.randint(SIDE - 2, (2,), generator=g).tolist()
            y[i, top : top + 3, left : left + 3] = c
    return Examples(x + y[:, None].float(), y)


def lesions(rows: int, seed: int = 0) -> Examples:
    """One bright square of three pixels a side."""
    return segmentation(rows, seed, classes=2)


def _noise(rows: int, seed: int) -> tuple[Tensor, torch.Generator]:
    g = rng.generator(seed, "toy images")
    return torch.rand(rows, 1, SIDE, SIDE, generator=g) * 0.2, g


def shared_out(images: Callable[[int, int], Examples], clients: int = 3) -> tuple[Held, ...]:
    seeds = range(0, 10 * clients, 10)
    return tuple(Held(images(12, s), images(4, s + 1), images(6, s + 2), own_val=images(4, s + 3)) for s in seeds)


TOYS: dict[str, Toy] = {
    "multiclass": Toy(task=MultiClass(classes=3), shares=shared_out(multiclass), make=lambda: classifier(3)),
    "multilabel": Toy(task=MultiLabel(classes=3), shares=shared_out(multilabel), make=lambda: classifier(3)),
    "segmentation": Toy(task=Segmentation(classes=3), shares=shared_out(segmentation), make=lambda: segmenter(3)),
    "lesions": Toy(task=Segmentation(classes=2), shares=shared_out(lesions), make=lambda: segmenter(2)),
}


class Listening(InProcessGrid):
    """An in-process grid that keeps, per message, a copy of the tensors sent: (direction, record name, tensors)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recorded: list[tuple[str, str, dict[str, Tensor]]] = []

    def stream(self, messages: Any) -> Iterator[Any]:
        messages = list(messages)
        for message, reply in zip(messages, super().stream(messages), strict=True):
            up = [] if isinstance(reply, ClientFailure) else [("up", reply.content)]
            for direction, content in [("down", message.content), *up]:
                for name, record in content.array_records.items():
                    self.recorded.append((direction, name, {n: t.clone() for n, t in unpack(record).items()}))
            yield reply


@dataclass(slots=True)
class Ended:
    """What a federation came to."""

    shared: dict[str, Tensor]
    progress: ServerState
    grid: InProcessGrid
    results: list[RoundResult] = field(default_factory=list)

    def memory(self, client: int) -> dict[str, Any]:
        return load_memory(self.grid.memory(client))

    @property
    def losses(self) -> list[float]:
        """Mean training loss per round."""
        return [sum(row["loss"] for row in r.clients) / len(r.clients) for r in self.results]


def net_of(toy: Toy, method: Method | Chain, *, seed: int = 0) -> Net:
    """The toy's net as the method has built it."""
    net = toy.net()
    setup = Setup(task=toy.task, net=net, optimizer=TRAINING.optimizer, rounds=4, clients=len(toy.shares))
    return chain(method).build(net, setup, seed=seed)


def grid_of(
    toy: Toy, method: Method | Chain, training: Training = TRAINING, *, seed: int = 0, kind: Any = Listening
) -> Any:
    """A grid with the toy's clients."""
    net = net_of(toy, method, seed=seed)
    app = client_app(method, net=net, task=toy.task, training=training, share=toy.shares.__getitem__, seed=seed)
    return kind(app, len(toy.shares))


def initial(toy: Toy, method: Method | Chain, *, seed: int = 0) -> dict[str, Tensor]:
    """The shared weights that a federation starts from."""
    net = net_of(toy, method, seed=seed)
    apart = scope(net, chain(method).local) | fixed(net)
    return {name: tensor.clone() for name, tensor in net.state_dict().items() if name not in apart}


def federate(
    toy: Toy,
    method: Method | Chain,
    *,
    rounds: int = 2,
    training: Training = TRAINING,
    seed: int = 0,
    shared: Mapping[str, Tensor] | None = None,
    grid: InProcessGrid | None = None,
    progress: ServerState | None = None,
    **options: Any,
) -> Ended:
    """Trains the toy; options are those of `strategy_of`."""
    grid = grid or grid_of(toy, method, training, seed=seed)
    ended = Ended({}, progress or ServerState(), grid)
    given = {"seed": seed, "by_clients": False, "after_round": lambda result: bool(ended.results.append(result))}
    trained = {name for name, _ in net_of(toy, method, seed=seed).named_parameters()}
    given["parameters"] = frozenset(initial(toy, method, seed=seed).keys() & trained)
    given["net"] = partial(net_of, toy, method, seed=seed)
    plan = strategy_of(method, progress=ended.progress, **{**given, **options})
    with torch.random.fork_rng(devices=[]):
        done = plan.start(grid, pack(initial(toy, method, seed=seed) if shared is None else shared), rounds)
    ended.shared = {name: tensor.clone() for name, tensor in unpack(done.arrays).items()}
    return ended


def strategy_of(method: Method | Chain, *, progress: ServerState | None = None, **options: Any) -> MethodStrategy:
    """The method's strategy; options are fields of its settings, its evaluation and its callbacks."""
    groups: list[Any] = [
        kind(**{field.name: options.pop(field.name) for field in fields(kind) if field.name in options})
        for kind in (ServerSettings, EvaluationPlan, RoundCallbacks)
    ]
    assert not options, f"no option of a strategy: {', '.join(options)}"
    settings, evaluation, callbacks = groups
    return strategy(method, settings, evaluation=evaluation, callbacks=callbacks, progress=progress)


def trainer_of(toy: Toy, method: Method | Chain, training: Training = TRAINING, *, seed: int = 0) -> Trainer:
    """The toy's clients without messages."""
    return Trainer(
        TrainerSpec(
            net=net_of(toy, method, seed=seed),
            chain=chain(method),
            task=toy.task,
            training=training,
            share=toy.shares.__getitem__,
            normalise=Tensor.float,
            seed=seed,
        )
    )


def job_of(trainer: Trainer, client: int = 0, round: int = 1, rounds: int = 2, **rest: Any) -> ClientRequest:
    """A round of one client that starts from the net as it stands."""
    shared = {name: tensor.clone() for name, tensor in trainer.shared.items()}
    return ClientRequest(client=client, round=round, rounds=rounds, shared=rest.pop("shared", shared), **rest)


def same(a: Any, b: Any) -> bool:
    """Whether nested dicts of tensors and values have the same names, types and bits."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return type(a) is type(b) and bool(a == b)


def copied(value: Any) -> Any:
    """A deep copy of nested dicts of tensors and values."""
    if isinstance(value, Mapping):
        return {name: copied(item) for name, item in value.items()}
    return value.clone() if isinstance(value, Tensor) else value


def finite(tensors: Payload) -> bool:
    return all(bool(t.isfinite().all()) for t in tensors.values())
