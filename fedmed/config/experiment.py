"""The settings of a run that belong to no group of options, typed and with their bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How clients minimise their loss; one setting for every method of a comparison.

    name: sgd, adam or adamw.
    lr: learning rate of the first round (> 0).
    momentum: of sgd (0: none).
    weight_decay: L2 penalty of sgd and adam, decoupled in adamw (0: none).
    schedule: how the learning rate changes from round to round: constant, cosine down to 0 after the last, or steps.
    milestones: rounds from which it is a tenth of what it was, for schedule=steps ([]: none).
    state: whether a client's momentum starts anew each round (reset) or stays with it (persist).
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Annotated[float, Gt(0)] = 0.02
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    schedule: Literal["constant", "cosine", "steps"] = "constant"
    milestones: tuple[int, ...] = ()
    state: Literal["reset", "persist"] = "reset"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything about a run except the options of its groups.

    seed: of everything random, except where an option has a seed of its own.
    clients: how many clients (null: 10, or one per site under partition=site).
    pooled: whether one client holds what all of them hold, labelled as they did, and trains in every round, whatever
       clients_per_round, sampling, failures and system say: the centralised reference.
    rounds: how many rounds.
    clients_per_round: how many clients train in a round, drawn at random (null: all).
    epochs: passes over a client's images per round.
    local_steps: optimizer steps per round, instead of epochs (null: epochs count).
    batch_size: images per optimizer step.
    clip_norm: longest gradient, as an L2 norm over all weights (null: never clipped).
    client_test: fraction of a client's training images kept as its own test set.
    eval_every: rounds between evaluations.
    scopes: what is evaluated: test (global model, server's images), client (received model, client's own
       images), adapted (the model right after local training).
    metric: metric that decides the best round, on all clients' validation images together (null: the task's usual one);
       with loss, or accuracy of classes, no outputs or labels of single images leave a client for it.
    patience: evaluations without a better round before the run stops (null: never).
    loss: a loss of your own as path/to/file.py:name of a function (logits, y) -> the loss of every entry, or of a
       torch module or its class (null: the task's).
    metrics: metrics of your own, each as path/to/file.py:function.
    thorough: whether the last evaluation includes slow metrics (surface distances).
    checkpoint_every: rounds between checkpoints.
    on_client_error: what becomes of a run in which a client raises, hangs, or answers with what is not finite or not
       asked for: stop (with an error; the last checkpoint stays), or skip (the round goes on without that client).
    min_clients: how many clients have to be left in a round for on_client_error=skip to go on.
    client_timeout: seconds that a client may take to answer (null: any). engine=pool ends one that takes longer, ray
       and superlink stop waiting for it; in one process it is at fault once it is done, and nothing ends it before.
    resume: directory of a run to continue (null: a new run).
    device: where clients train: cpu, cuda (engine=pool takes all GPUs), cuda:<number>, or auto (a GPU where there is
       one); a GPU gives other last bits.
    precision: of passes through the net: full (float32), bf16 or fp16 (mixed; weights and losses stay float32).
    torch_threads: threads of torch; part of the run, because it changes the last bits.
    optimizer: name, lr, momentum, weight_decay, schedule, milestones, state.
    """

    seed: Annotated[int, Ge(0)] = 0
    clients: Annotated[int, Ge(1)] | None = None
    pooled: bool = False
    rounds: Annotated[int, Ge(1)] = 10
    clients_per_round: Annotated[int, Ge(1)] | None = None
    epochs: Annotated[int, Ge(1)] = 1
    local_steps: Annotated[int, Ge(1)] | None = None
    batch_size: Annotated[int, Ge(1)] = 10
    clip_norm: Annotated[float, Gt(0)] | None = None
    client_test: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    eval_every: Annotated[int, Ge(1)] = 1
    scopes: tuple[Literal["test", "client", "adapted"], ...] = ("test", "client")
    metric: str | None = None
    patience: Annotated[int, Ge(1)] | None = None
    loss: str | None = None
    metrics: tuple[str, ...] = ()
    thorough: bool = False
    checkpoint_every: Annotated[int, Ge(1)] = 1
    on_client_error: Literal["stop", "skip"] = "stop"
    min_clients: Annotated[int, Ge(1)] = 1
    client_timeout: Annotated[float, Gt(0)] | None = None
    resume: str | None = None
    device: str = "cpu"
    precision: Literal["full", "bf16", "fp16"] = "full"
    torch_threads: Annotated[int, Ge(1)] = 1
    optimizer: Optimizer = Optimizer()
