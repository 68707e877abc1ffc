"""The experiment: everything about a run as one frozen tree of typed, checked values.

`fedmed.config` turns text into it and it into the text of a run directory. That reads the fields below from this file,
without importing it: a setting that is added here is an option of the command line at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from annotated_types import Ge, Gt, Interval

from fedmed.compression import Compression, NoneCompression
from fedmed.data.annotation import Annotation, CompleteAnnotation
from fedmed.data.augment import Augment, NoneAugment
from fedmed.data.examples import Dataset
from fedmed.data.partition.contract import Partition
from fedmed.data.partition.labels import DirichletPartition
from fedmed.data.partition.site import SitePartition
from fedmed.data.shift import NoneShift, Shift
from fedmed.datasets.synthetic_multiclass import SyntheticMulticlass
from fedmed.engine.auto import AutoEngine
from fedmed.engine.base import Engine, LaunchingEngine
from fedmed.errors import Fault
from fedmed.method import Chain, Method, chain
from fedmed.models.net import Model
from fedmed.models.small_cnn import SmallCnn
from fedmed.models.torch import TorchModel, is_module
from fedmed.models.unet import UNet
from fedmed.optimizers import Optimizer
from fedmed.options.base import Options
from fedmed.options.groups import GROUPS, PARTS, SETTINGS
from fedmed.options.option_group import OptionGroup
from fedmed.options.rules import conflicts
from fedmed.options.usual import usual_model
from fedmed.server.failures import Failures, NoneFailures
from fedmed.server.optimizers import AverageServerOptimizer, ServerOptimizer
from fedmed.server.privacy import NonePrivacy, Privacy
from fedmed.server.sampling import Sampling, UniformSampling
from fedmed.server.system import NoneSystem, System
from fedmed.strategies.fedavg import FedAvg
from fedmed.tracking.contract import NoneTracking, Tracking

if TYPE_CHECKING:
    from fedmed import Run

LATER = ("partition", "model")
"""Fields that may be None until the experiment is made."""

USUAL = {"small_cnn": SmallCnn, "unet": UNet}
"""Models that a run which names none may have, by name."""


@dataclass(frozen=True, kw_only=True)
class Experiment(Options):
    """Everything about a run; what is not given is at its default. One object, from Python as from the command line.

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
    thorough: whether the last evaluation includes slow metrics (surface distances, surface Dice, lesion-wise F1).
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
    optimizer: how clients minimise their loss: name, lr, momentum, weight_decay, schedule, milestones, state.
    strategy: the federated method, or several as one.
    dataset: where the images come from.
    partition: who holds which images (null: Dirichlet, or as the dataset divides them).
    annotation: what annotators gave of the true labels.
    shift: how images of one site differ from another's.
    augment: other views of training images.
    model: the network (null: the usual one of the dataset's task); from Python also a torch.nn.Module, its class, or a
       function that makes one.
    engine: where clients' rounds run.
    server: how the server steps to the mean of what clients send.
    sampling: which clients are selected for a round.
    failures: who drops out of a round.
    system: how long a round takes, and how long the server waits.
    compression: how the weights come up.
    privacy: what is done to hide each client.
    tracking: where rows and results are sent, besides the run's directory.
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
    strategy: Annotated[Method | Chain, OptionGroup("strategies", by_file=True, plural="strategies")] = FedAvg()
    dataset: Annotated[Dataset, OptionGroup("datasets", by_file=True)] = SyntheticMulticlass()
    partition: Annotated[Partition, OptionGroup("data.partition", default="DirichletPartition")] = None  # type: ignore[assignment]
    annotation: Annotated[Annotation, OptionGroup("data.annotation")] = CompleteAnnotation()
    shift: Annotated[Shift, OptionGroup("data.shift")] = NoneShift()
    augment: Annotated[Augment, OptionGroup("data.augment")] = NoneAugment()
    model: Annotated[Model, OptionGroup("models", by_file=True)] = None  # type: ignore[assignment]
    engine: Annotated[Engine | LaunchingEngine, OptionGroup("engine", by_file=True, also="LaunchingEngine")] = (
        AutoEngine()
    )
    server: Annotated[ServerOptimizer, OptionGroup("server.optimizers")] = AverageServerOptimizer()
    sampling: Annotated[Sampling, OptionGroup("server.sampling")] = UniformSampling()
    failures: Annotated[Failures, OptionGroup("server.failures", plural="failures")] = NoneFailures()
    system: Annotated[System, OptionGroup("server.system")] = NoneSystem()
    compression: Annotated[Compression, OptionGroup("compression")] = NoneCompression()
    privacy: Annotated[Privacy, OptionGroup("server.privacy", plural="privacies")] = NonePrivacy()
    tracking: Annotated[Tracking, OptionGroup("tracking", plural="trackers")] = NoneTracking()

    def __post_init__(self) -> None:
        """Makes a chain of a method and a model of a module, and takes the usual partition and model for none."""
        object.__setattr__(self, "strategy", self.methods)
        model: Any = self.model
        partition: Any = self.partition
        if partition is None:
            usual = SitePartition() if self.dataset.divided else DirichletPartition()
            object.__setattr__(self, "partition", usual)
        if model is None:
            own = vars(self.dataset)
            task = "" if "task" in own else str(getattr(self.dataset, "task", ""))
            object.__setattr__(self, "model", USUAL[usual_model(task, own)]())
        elif not isinstance(model, Model):
            object.__setattr__(self, "model", TorchModel(module=model))

    @property
    def methods(self) -> Chain:
        """The strategy as a chain of methods by name, in order."""
        return self.strategy if isinstance(self.strategy, Chain) else chain(self.strategy)

    def run(self, directory: str | Path | None = None, *, quiet: bool = False) -> Run:
        """Runs the experiment, showing how far it is; what is left on disk comes back as a `fedmed.Run`.

        directory: a new folder for it (None: one of its own in ./runs or $FEDMED_RUNS). quiet: shows no progress.
        Raises `UserError` with every fault found before anything is written; Ctrl-C leaves a run that can be resumed.
        """
        from fedmed import run_experiment  # which is made of what lies above this module

        return run_experiment(self, directory, quiet=quiet)

    def _conflicts(self, wrong: frozenset[str]) -> Iterator[Fault]:
        given = {name: value for name, value in vars(self).items() if value is not None or name not in LATER}
        odd = {name for name, base in _bases().items() if name in given and not isinstance(given[name], base)}
        if is_module(self.model):
            odd.discard("model")  # it becomes a model
        for name in sorted(odd):
            expected = " or ".join(each.__name__ for each in get_args(_bases()[name]) or (_bases()[name],))
            yield Fault(f"Experiment.{name}", f"an object of a class of {expected}", repr(vars(self)[name]))
        sound = {name: vars(self)[name] for name in SETTINGS.keys() - wrong}
        optimizer = Optimizer() if "optimizer" in odd else self.optimizer
        defaults = {name: field.default for name, field in SETTINGS.items()}
        chosen = {name: type(vars(self)[name]).__name__ for name in GROUPS}
        yield from conflicts(defaults | sound | {"optimizer": vars(optimizer)}, chosen)


@cache
def _bases() -> dict[str, Any]:
    """The types of the fields that hold objects, by name."""
    hints = get_type_hints(Experiment)
    return {name: hints[name] for name in (*PARTS, *GROUPS)}
