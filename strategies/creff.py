"""CReFF: the server trains the head once more, on features that it learned for it, as many of every class.

Shang, Lu, Huang, Wang: Federated Learning on Heterogeneous and Long-Tailed Data via Classifier Re-Training with
Federated Features. IJCAI 2022, arXiv 2204.13399.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from fedmed.errors import Fault, refuse
from fedmed.method import Client, Method, Payload, Scope, Server, Setup
from fedmed.models.net import Net, scope
from fedmed.strategies._federated_features import Descent, class_gradients, matched, retrained

RETRAINED = "head.retrained."


class RetrainableHead(nn.Module):
    """The head that clients train, whose logits are the net's, and one that the server trains: buffers here."""

    def __init__(self, averaged: nn.Module) -> None:
        super().__init__()
        self.averaged, self.retrained = averaged, copy.deepcopy(averaged)
        for part in self.retrained.modules():
            for name, weight in list(part.named_parameters(recurse=False)):
                delattr(part, name)
                part.register_buffer(name, weight.detach().clone())

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.averaged(features)
        return logits

    def weights(self, head: nn.Module) -> dict[str, Tensor]:
        """What is trained of one of the two, by its name there; detached."""
        return {name: head.state_dict()[name] for name, _ in self.averaged.named_parameters()}

    def merged(self) -> nn.Module:
        """The plain head, as the server has trained it."""
        self.averaged.load_state_dict(self.retrained.state_dict())
        return self.averaged


@dataclass(frozen=True, kw_only=True)
class CReFF(Method):
    """FedAvg, whose model is judged under another head: the mean one, trained on for classes that count alike.

    Each client sends the gradient of the retrained head for each of its classes, at the model that it received. The
    server moves the federated features until that head's gradients on them point where those of the clients do, then
    trains the averaged head on them. Clients train the averaged head, and never the retrained one.

    features: federated features of each class (>= 1).
    match_steps: gradient steps of the features in a round (>= 0).
    match_lr: learning rate of these (> 0).
    retrain_steps: gradient steps of the head in a round, each on all features (>= 0; 0 is FedAvg).
    retrain_lr: learning rate of these (> 0).
    """

    kinds: ClassVar[tuple[str, ...]] = ("multiclass",)

    features: Annotated[int, Ge(1)] = 100
    match_steps: Annotated[int, Ge(0)] = 100
    match_lr: Annotated[float, Gt(0)] = 0.1
    retrain_steps: Annotated[int, Ge(0)] = 300
    retrain_lr: Annotated[float, Gt(0)] = 0.1

    @property
    def idle(self) -> frozenset[str]:
        return frozenset(() if self.retrain_steps else ("check", "build", "prepare", "report", "update", "predict"))

    def check(self, setup: Setup) -> Sequence[Fault]:
        """Refuses what is not a choice among classes, and a head that has no weights, or whose weights stay local."""
        if setup.task.kind not in self.kinds:
            fix = "Its features are of one class each: see fednpr and fedmlp."
            return [Fault("strategy", "a task of classes with creff", setup.task.kind, fix)]
        heads = RetrainableHead(setup.net.head)
        anew = {f"{RETRAINED}{name}" for name in heads.weights(heads.retrained)}
        if anew and not scope(Net(setup.net.features, heads), self.local) & anew:
            return ()
        got = "one that stays at the clients" if anew else "one without weights"
        fix = "Use another model, or leave the head out of local."
        return [Fault("strategy", "a head with weights that clients share, with creff", got, fix)]

    def build(self, net: Net, setup: Setup) -> Net:
        net.head = RetrainableHead(net.head)
        return net

    def prepare(self, client: Client) -> None:
        heads, y = _heads(client.received), client.train.y
        weights = heads.weights(heads.retrained)
        if any(f"{RETRAINED}{name}" not in client.anchor for name in weights):
            fix = "Leave out what keeps the head at the clients, such as fedper."
            raise refuse(f"client {client.id}, strategy creff", "a head that clients share", "one that each keeps", fix)
        features, _ = client.collect(client.received)
        sent = {n: features.new_zeros(client.task.classes, *w.shape) for n, w in weights.items()}
        for label in y.unique().to(features.device):
            own = features[(y == label.to(y)).to(features.device)]
            for name, gradient in class_gradients(heads.averaged, weights, own[None], label[None]).items():
                sent[name][label] = gradient[0]
        client.keep(_Sent({"width": features.new_tensor(float(features.shape[1])), **sent}))

    def report(self, client: Client) -> Payload:
        return client.kept(_Sent).payload

    def update(self, server: Server, old: Payload, mean: Payload) -> Payload:
        features, seen = self._matched(server, _heads(server.frozen(old)))
        heads = _heads(server.frozen(mean))
        y = torch.arange(len(features), device=features.device)[seen].repeat_interleave(self.features)
        descent = Descent(self.retrain_steps, self.retrain_lr)
        new = retrained(heads.averaged, heads.weights(heads.averaged), features[seen].flatten(0, 1), y, descent)
        return {**mean, **{f"{RETRAINED}{n}": t for n, t in {**heads.averaged.state_dict(), **new}.items()}}

    def _matched(self, server: Server, heads: RetrainableHead) -> tuple[Tensor, Tensor]:
        """The federated features (C, n, D) after this round, and which classes clients have held so far (C,)."""
        payloads = [report.payload for report in server.reports]
        weights = heads.weights(heads.retrained)
        # A sum, as only directions are matched; a class that a client lacks adds zeros.
        wanted = {name: torch.stack([payload[name] for payload in payloads]).sum(0) for name in weights}
        held = torch.stack([g.flatten(1).any(1) for g in wanted.values()]).any(0)
        features, seen = self._kept(server, payloads[0]["width"], held)
        (classes,) = held.nonzero(as_tuple=True)
        wanted = {name: gradient[classes] for name, gradient in wanted.items()}
        descent = Descent(self.match_steps, self.match_lr)
        features[classes] = matched(heads.averaged, weights, features[classes], classes, wanted, descent)
        server.state["features"], server.state["seen"] = features, seen
        return features, seen

    def _kept(self, server: Server, width: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
        """The features as last round left them, at first from a normal distribution; and the classes seen so far."""
        if "features" in server.state:
            return server.state["features"].clone(), server.state["seen"] | held
        drawn = torch.randn(len(held), self.features, int(width), generator=server.rng)
        return drawn.to(held.device), held

    def predict(self, net: Net, x: Tensor, scope: Scope, client: Client | None) -> Tensor:
        heads = _heads(net)
        logits: Tensor = (heads.averaged if scope == "adapted" else heads.retrained)(net.features(x))
        return logits


def _heads(net: Net) -> RetrainableHead:
    heads = net.head
    assert isinstance(heads, RetrainableHead)
    return heads


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a client sends: width () of its features, and gradients of every class (C, ...), by the head's names."""

    payload: Payload
