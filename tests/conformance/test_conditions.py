"""Every strategy under every condition: two rounds that end well, with the same bits again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fedmed.compression import QuantiseCompression, TopkCompression
from fedmed.method import Method
from fedmed.server import AvailabilitySampling, BySizeSampling, Conditions, DropoutFailures, ProfileSystem
from tests.conformance.cases import Case
from tests.toys import TRAINING, Ended, federate, finite, same

CONDITIONS = {
    "by size": Conditions(sampling=BySizeSampling()),
    "availability": Conditions(sampling=AvailabilitySampling(period=3)),
    "dropout": Conditions(failures=DropoutFailures(rate=0.4)),
    "deadline": Conditions(system=ProfileSystem(seconds_per_image=0.1, deadline=1.2)),
    "topk": Conditions(compression=TopkCompression(fraction=0.1)),
    "quantise": Conditions(compression=QuantiseCompression()),
}


@pytest.mark.parametrize("conditions", CONDITIONS.values(), ids=CONDITIONS)
def test_two_rounds_under_conditions(home: Case, method: Method, conditions: Conditions) -> None:
    one, other = _federate(home, method, conditions), _federate(home, method, conditions)
    assert finite(one.shared)
    assert [result.round for result in one.results] == [1, 2]
    assert same(one.shared, other.shared)
    plain = federate(home.toy, method, clients_per_round=2)
    assert not same(one.shared, plain.shared), "the condition changes nothing"


def _federate(case: Case, method: Method, conditions: Conditions, **options: Any) -> Ended:
    training = replace(TRAINING, compression=conditions.compression)
    return federate(
        case.toy, method, training=training, **{"clients_per_round": 2, "conditions": conditions, **options}
    )
