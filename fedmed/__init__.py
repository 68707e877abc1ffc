"""fedmed: federated-learning simulation for medical imaging.

    run = fedmed.Experiment(dataset=fedmed.Npz(path="x.npz"), strategy=fedmed.FedProx(mu=0.1), rounds=5).run()

What `dir(fedmed)` lists is public, and nothing else is: a name that is reached through a module below may change.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # read by type checkers, and by `_public`: a name is imported when it is first asked for
    from fedmed.api.comparison import RunSet as RunSet
    from fedmed.api.comparison import compare as compare
    from fedmed.api.describe import Description as Description
    from fedmed.api.describe import describe as describe
    from fedmed.api.run import Run as Run
    from fedmed.api.run import load as load
    from fedmed.api.run import run_experiment as run_experiment
    from fedmed.client import Training as Training
    from fedmed.compression import NoneCompression as NoneCompression
    from fedmed.compression import QuantiseCompression as QuantiseCompression
    from fedmed.compression import TopkCompression as TopkCompression
    from fedmed.config.build import experiment_from as experiment_from
    from fedmed.data.annotation import Annotation as Annotation
    from fedmed.data.annotation import ArrayAnnotation as ArrayAnnotation
    from fedmed.data.annotation import CompleteAnnotation as CompleteAnnotation
    from fedmed.data.annotation import FreeRiderAnnotation as FreeRiderAnnotation
    from fedmed.data.annotation import IncompleteMasksAnnotation as IncompleteMasksAnnotation
    from fedmed.data.annotation import LabelNoiseAnnotation as LabelNoiseAnnotation
    from fedmed.data.annotation import MissingLabelsAnnotation as MissingLabelsAnnotation
    from fedmed.data.annotation import RelabelledAnnotation as RelabelledAnnotation
    from fedmed.data.augment import Augment as Augment
    from fedmed.data.augment import NoneAugment as NoneAugment
    from fedmed.data.augment import StandardAugment as StandardAugment
    from fedmed.data.examples import Dataset as Dataset
    from fedmed.data.examples import Examples as Examples
    from fedmed.data.examples import Table as Table
    from fedmed.data.federation import Federation as Federation
    from fedmed.data.partition.contract import Partition as Partition
    from fedmed.data.partition.count_table import CountTablePartition as CountTablePartition
    from fedmed.data.partition.file import FilePartition as FilePartition
    from fedmed.data.partition.labels import DirichletPartition as DirichletPartition
    from fedmed.data.partition.labels import PathologicalPartition as PathologicalPartition
    from fedmed.data.partition.labels import ShardPartition as ShardPartition
    from fedmed.data.partition.site import SitePartition as SitePartition
    from fedmed.data.partition.sizes import IidPartition as IidPartition
    from fedmed.data.partition.sizes import QuantityPartition as QuantityPartition
    from fedmed.data.shift import NoneShift as NoneShift
    from fedmed.data.shift import ScannerShift as ScannerShift
    from fedmed.data.shift import Shift as Shift
    from fedmed.data.shift import StyleShift as StyleShift
    from fedmed.data.world import Share as Share
    from fedmed.datasets.folder import Folder as Folder
    from fedmed.datasets.medmnist import Medmnist as Medmnist
    from fedmed.datasets.npz import Npz as Npz
    from fedmed.datasets.synthetic_domains import SyntheticDomains as SyntheticDomains
    from fedmed.datasets.synthetic_multiclass import SyntheticMulticlass as SyntheticMulticlass
    from fedmed.datasets.synthetic_multilabel import SyntheticMultilabel as SyntheticMultilabel
    from fedmed.datasets.synthetic_segmentation import SyntheticSegmentation as SyntheticSegmentation
    from fedmed.datasets.synthetic_volumes import SyntheticVolumes as SyntheticVolumes
    from fedmed.datasets.table import ImageTable as ImageTable
    from fedmed.engine.auto import AutoEngine as AutoEngine
    from fedmed.engine.base import Engine as Engine
    from fedmed.engine.cohort import CohortEngine as CohortEngine
    from fedmed.engine.inprocess import InprocessEngine as InprocessEngine
    from fedmed.engine.local import InProcessGrid as InProcessGrid
    from fedmed.engine.pool import PoolEngine as PoolEngine
    from fedmed.engine.ray import RayEngine as RayEngine
    from fedmed.engine.superlink import SuperlinkEngine as SuperlinkEngine
    from fedmed.engine.threads import ThreadsEngine as ThreadsEngine
    from fedmed.errors import UserError as UserError
    from fedmed.experiment import Experiment as Experiment
    from fedmed.flower.client_app import client_app as client_app
    from fedmed.flower.settings import ServerSettings as ServerSettings
    from fedmed.flower.strategy import MethodStrategy as MethodStrategy
    from fedmed.inference.predict import Prediction as Prediction
    from fedmed.method import Batch as Batch
    from fedmed.method import Chain as Chain
    from fedmed.method import Client as Client
    from fedmed.method import Method as Method
    from fedmed.method import Payload as Payload
    from fedmed.method import Report as Report
    from fedmed.method import Server as Server
    from fedmed.method import Setup as Setup
    from fedmed.method.chain import chain as chain
    from fedmed.models.densenet121 import DenseNet121 as DenseNet121
    from fedmed.models.dynunet import DynUNet as DynUNet
    from fedmed.models.efficientnet_b0 import EfficientNetB0 as EfficientNetB0
    from fedmed.models.net import Model as Model
    from fedmed.models.net import Net as Net
    from fedmed.models.resnet10 import ResNet10 as ResNet10
    from fedmed.models.resnet18 import ResNet18 as ResNet18
    from fedmed.models.segresnet import SegResNet as SegResNet
    from fedmed.models.small_cnn import SmallCnn as SmallCnn
    from fedmed.models.swin_unetr import SwinUNETR as SwinUNETR
    from fedmed.models.timm import TimmModel as TimmModel
    from fedmed.models.torch import TorchModel as TorchModel
    from fedmed.models.unet import UNet as UNet
    from fedmed.models.vit import ViT as ViT
    from fedmed.optimizers import Optimizer as Optimizer
    from fedmed.scheduling.policies.density import Density as Density
    from fedmed.scheduling.policies.dpack import DPack as DPack
    from fedmed.scheduling.policies.dpbalance import DPBalance as DPBalance
    from fedmed.scheduling.policies.dpf import DominantPrivateBlockFairness as DominantPrivateBlockFairness
    from fedmed.scheduling.policies.fcfs import FirstComeFirstServed as FirstComeFirstServed
    from fedmed.scheduling.policies.roundrobin import RoundRobin as RoundRobin
    from fedmed.scheduling.result import Schedule as Schedule
    from fedmed.scheduling.schedule import schedule as schedule
    from fedmed.server.failures import DropoutFailures as DropoutFailures
    from fedmed.server.failures import NoneFailures as NoneFailures
    from fedmed.server.optimizers import AdagradServerOptimizer as AdagradServerOptimizer
    from fedmed.server.optimizers import AdamServerOptimizer as AdamServerOptimizer
    from fedmed.server.optimizers import AverageServerOptimizer as AverageServerOptimizer
    from fedmed.server.optimizers import MomentumServerOptimizer as MomentumServerOptimizer
    from fedmed.server.optimizers import ServerOptimizer as ServerOptimizer
    from fedmed.server.optimizers import YogiServerOptimizer as YogiServerOptimizer
    from fedmed.server.privacy import GaussianPrivacy as GaussianPrivacy
    from fedmed.server.privacy import NonePrivacy as NonePrivacy
    from fedmed.server.sampling import AvailabilitySampling as AvailabilitySampling
    from fedmed.server.sampling import BySizeSampling as BySizeSampling
    from fedmed.server.sampling import Sampling as Sampling
    from fedmed.server.sampling import UniformSampling as UniformSampling
    from fedmed.server.system import NoneSystem as NoneSystem
    from fedmed.server.system import ProfileSystem as ProfileSystem
    from fedmed.strategies.apfl import APFL as APFL
    from fedmed.strategies.coordinate_median import CoordinateMedian as CoordinateMedian
    from fedmed.strategies.creff import CReFF as CReFF
    from fedmed.strategies.ditto import Ditto as Ditto
    from fedmed.strategies.fedamp import FedAMP as FedAMP
    from fedmed.strategies.fedavg import FedAvg as FedAvg
    from fedmed.strategies.fedbabu import FedBABU as FedBABU
    from fedmed.strategies.fedbn import FedBN as FedBN
    from fedmed.strategies.feddyn import FedDyn as FedDyn
    from fedmed.strategies.fedegoists import FedEgoists as FedEgoists
    from fedmed.strategies.fedia import FedIA as FedIA
    from fedmed.strategies.fedmlp import FedMLP as FedMLP
    from fedmed.strategies.fednova import FedNova as FedNova
    from fedmed.strategies.fednpr import FedNPR as FedNPR
    from fedmed.strategies.fedper import FedPer as FedPer
    from fedmed.strategies.fedplvm import FedPLVM as FedPLVM
    from fedmed.strategies.fedproto import FedProto as FedProto
    from fedmed.strategies.fedprox import FedProx as FedProx
    from fedmed.strategies.fedrod import FedRoD as FedRoD
    from fedmed.strategies.fpl import FPL as FPL
    from fedmed.strategies.lora import LoRA as LoRA
    from fedmed.strategies.moon import Moon as Moon
    from fedmed.strategies.phn_hvvs import PHNHVVS as PHNHVVS
    from fedmed.strategies.scaffold import Scaffold as Scaffold
    from fedmed.tasks import MultiClass as MultiClass
    from fedmed.tasks import MultiLabel as MultiLabel
    from fedmed.tasks import Segmentation as Segmentation
    from fedmed.tasks import Task as Task
    from fedmed.tracking.contract import NoneTracking as NoneTracking
    from fedmed.tracking.mlflow import MlflowTracking as MlflowTracking
    from fedmed.tracking.wandb import WandbTracking as WandbTracking

__version__ = "0.1.0"


class _CheckoutFinder:
    """Imports `fedmed.{strategies,datasets,configs}` from the folders beside the package, in a checkout."""

    folders = frozenset({"fedmed.strategies", "fedmed.datasets", "fedmed.configs"})
    root = str(Path(__file__).resolve().parents[1])

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of one of the three folders; None for any other module."""
        return PathFinder.find_spec(name, [cls.root]) if name in cls.folders else None


if not (Path(__file__).parent / "strategies").exists():
    sys.meta_path.append(_CheckoutFinder)


@cache
def _public() -> dict[str, str]:
    """The public names and their modules, as the imports for type checkers above list them."""
    import ast

    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    listed = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in listed for alias in node.names}


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in _public():
        raise AttributeError(f"module 'fedmed' has no attribute {name!r}")
    found = globals()[name] = vars(import_module(_public()[name]))[name]
    return found


def __dir__() -> list[str]:
    return sorted([*_public(), "__version__"])
