"""Partitions: who holds which images.

Names and meanings follow Flower Datasets' partitioners where both have them; here they are arrays of indices, and the
images of one patient stay together where patients are known.
"""

from fedmed.data.partition.contract import DEFAULT_CLIENTS, MAX_DRAWS, ImageMetadata, Partition, divide
from fedmed.data.partition.count_table import CountTablePartition
from fedmed.data.partition.file import FilePartition, save
from fedmed.data.partition.labels import DirichletPartition, PathologicalPartition, ShardPartition
from fedmed.data.partition.site import SitePartition
from fedmed.data.partition.sizes import IidPartition, QuantityPartition

__all__ = [
    "DEFAULT_CLIENTS",
    "MAX_DRAWS",
    "CountTablePartition",
    "DirichletPartition",
    "FilePartition",
    "IidPartition",
    "ImageMetadata",
    "Partition",
    "PathologicalPartition",
    "QuantityPartition",
    "ShardPartition",
    "SitePartition",
    "divide",
    "save",
]
