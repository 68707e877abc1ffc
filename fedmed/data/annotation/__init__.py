"""Annotation problems: what each client's annotator gave, of labels that are known in truth."""

from fedmed.data.annotation.array import ArrayAnnotation
from fedmed.data.annotation.contract import Annotation, CompleteAnnotation
from fedmed.data.annotation.conventions import FreeRiderAnnotation, RelabelledAnnotation
from fedmed.data.annotation.masks import IncompleteMasksAnnotation
from fedmed.data.annotation.missing_labels import MissingLabelsAnnotation
from fedmed.data.annotation.noise import LabelNoiseAnnotation

__all__ = [
    "Annotation",
    "ArrayAnnotation",
    "CompleteAnnotation",
    "FreeRiderAnnotation",
    "IncompleteMasksAnnotation",
    "LabelNoiseAnnotation",
    "MissingLabelsAnnotation",
    "RelabelledAnnotation",
]
