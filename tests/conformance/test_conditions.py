"""Every strategy under every condition: two rounds that end well, with the same bits again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fedmed.compression import QuantiseCompression, TopkCompression
from fedmed.errors import UserError
from fedmed.method import Method, chain
from fedmed.server import (
    AvailabilitySampling,
    BySizeSampling,
    Conditions,
    DropoutFailures,
    GaussianPrivacy,
    ProfileSystem,
)
from fedmed.strategies.fedbn import FedBN
from tests.conformance.cases import Case
from tests.toys import TRAINING, Ended, federate, finite, net_of, same

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


def test_privacy_covers_a_method_or_names_it(home: Case, method: Method) -> None:
    pytest.importorskip("dp_accounting", reason="the extra fedmed-sim[dp] is not installed")
    plan, both = Conditions(privacy=GaussianPrivacy()), chain(*{home.name: method, "fedbn": FedBN()}.values())
    if faults := list(plan.faults(both)):
        assert all(f"got {home.name}, which" in str(fault) for fault in faults)
        return
    weights = frozenset(name for name, _ in net_of(home.toy, both).named_parameters())
    try:
        ended = federate(home.toy, both, conditions=plan, parameters=weights)
    except UserError as error:  # what a method sends is known when it comes
        said = str(error)
    else:
        assert finite(ended.shared)
        assert ended.results[1].spent > ended.results[0].spent
        assert not same(ended.shared, federate(home.toy, both).shared)
        return
    assert f"got {home.name}, which sends more than its weights" in said


def _federate(case: Case, method: Method, conditions: Conditions, **options: Any) -> Ended:
    training = replace(TRAINING, compression=conditions.compression)
    return federate(
        case.toy, method, training=training, **{"clients_per_round": 2, "conditions": conditions, **options}
    )
