"""Mistakes in what a hook returns name the method and the hook."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fedmed.errors import UserError
from fedmed.method import Chain, Method
from tests.toys import TOYS, job_of, trainer_of

TOY = TOYS["multiclass"]


def method(hook: str, value: Any) -> Method:
    made: Method = type("Given", (Method,), {hook: lambda *given: value})()
    return made


@pytest.mark.parametrize("value", [3, None, [1.0], {"a": "x"}, {"a": torch.ones(2)}])
def test_an_audit_that_is_no_dict_of_numbers_is_refused(value: Any) -> None:
    chain = Chain({"given": method("audit", value)})
    context = trainer_of(TOY, chain).receive(job_of(trainer_of(TOY, chain), client=2))
    with pytest.raises(UserError, match=r"given.audit, client 2, round 1: expected a dict of numbers by name, got"):
        chain.audit(context, TOY.shares[2].train.y)


@pytest.mark.parametrize("value", [3, None, torch.ones(2), torch.ones(1, 3)])
def test_predictions_that_are_no_logits_of_the_images_are_refused(value: Any) -> None:
    trainer = trainer_of(TOY, Chain({"given": method("predict", value)}))
    with pytest.raises(UserError, match=r"given.predict, test: expected logits of \d+ images, got"):
        trainer.score(TOY.shares[0].test, "test")
    with pytest.raises(UserError, match=r"given.predict, client: expected logits of \d+ images, got"):
        trainer.evaluate(job_of(trainer))
