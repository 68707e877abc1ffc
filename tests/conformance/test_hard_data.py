"""Clients as hospitals really have them: a class missing, one image, nothing annotated, not asked this round."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.method import Method
from tests.conformance.cases import Case
from tests.toys import Ended, Toy, federate, finite, initial


def test_a_class_absent_at_a_client(case: Case, method: Method) -> None:
    assert_sound(case.toy.with_train(0, _without_the_last_class), method)


def test_one_example_at_a_client(case: Case, method: Method) -> None:
    assert_sound(case.toy.with_train(0, lambda held: held[:1]), method)


def test_one_client_only(case: Case, method: Method) -> None:
    assert_sound(replace(case.toy, shares=case.toy.shares[:1]), method)


def test_a_client_skipped_for_rounds(case: Case, method: Method) -> None:
    ended = assert_sound(case.toy, method, clients_per_round=1)
    assert len({row["client"] for result in ended.results for row in result.clients}) > 1


def test_masks_that_are_all_empty(case: Case, method: Method) -> None:
    if case.toy.task.kind != "segmentation":
        pytest.skip(f"{case.task} has no masks")
    assert_sound(case.toy.with_train(0, lambda held: replace(held, y=torch.zeros_like(held.y))), method)


@pytest.mark.parametrize("rows", [1, 12], ids=["one image", "all images of a client"])
def test_nothing_annotated(case: Case, method: Method, rows: int) -> None:
    if case.task == "multiclass":
        pytest.skip("no annotation of fedmed hides the class of an image")
    assert_sound(case.toy.with_train(0, lambda held: _unseen(held, rows)), method)


def test_what_crosses_is_finite_and_keeps_its_type(case: Case, method: Method) -> None:
    assert_sound(case.toy, method)


def assert_sound(toy: Toy, method: Method, **options: int) -> Ended:
    """Everything sent is finite; shared weights keep names, shapes and types, and so does each report."""
    ended = federate(toy, method, rounds=4, **options)
    wanted = _form(initial(toy, method))
    forms: dict[tuple[str, str], set[str]] = {}
    for direction, record, tensors in ended.grid.recorded:
        assert finite(tensors), f"{record} {direction} is not finite"
        if record == "arrays":
            assert _form(tensors) == wanted
        else:
            types = {name: str(t.dtype) for name, t in tensors.items()}
            forms.setdefault((direction, record), set()).add(str(sorted(set(types.values()))))
    assert _form(ended.shared) == wanted
    assert [key for key, seen in forms.items() if len(seen) > 1] == []
    assert len(ended.results) == 4
    return ended


def _form(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (t.dtype, t.shape) for name, t in tensors.items()}


def _without_the_last_class(held: Examples) -> Examples:
    if held.y.dtype == torch.int64:
        return held[held.y != 2]
    if held.y.dtype == torch.uint8:
        return replace(held, y=held.y * (held.y != 2))
    return replace(held, y=held.y * torch.tensor([1.0, 1.0, 0.0]))


def _unseen(held: Examples, rows: int) -> Examples:
    """The first rows without any annotation, the others with all."""
    seen = torch.ones(held.y.shape, dtype=torch.bool)
    seen[:rows] = False
    return replace(held, y=held.y * seen, seen=seen)
