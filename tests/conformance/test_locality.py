"""What stays on a client: it exists, it differs between clients, and no message ever holds it."""

from dataclasses import replace

import pytest

from fedmed.method import Method, chain
from fedmed.models.net import fixed, scope
from tests.conformance.cases import Case
from tests.toys import federate, net_of, same


def test_local_patterns_match_something(case: Case, method: Method) -> None:
    net = net_of(case.toy, method)
    assert [pattern for pattern in method.local if not scope(net, [pattern])] == []


@pytest.mark.parametrize("local", [None, ("@head",), ("@norm", "head.bias"), ("*",)], ids=str)
def test_local_weights_are_never_sent(home: Case, method: Method, local: tuple[str, ...] | None) -> None:
    method = method if local is None else replace(method, local=local)
    if faults := home.refusals(method):
        pytest.skip(f"{home.name} refuses local={local}: {'; '.join(map(str, faults))}")
    net = net_of(home.toy, method)
    private = scope(net, chain(method).local) - fixed(net)
    ended = federate(home.toy, method, rounds=3)
    assert ended.grid.recorded
    sent = {name for _, _, tensors in ended.grid.recorded for name in tensors}
    assert sent & private == set()
    assert ended.shared.keys() == set(net.state_dict()) - private - fixed(net)
    kept = [ended.memory(client).get("@local", {}) for client in range(3)]
    assert all(own.keys() == private for own in kept)
    assert not private or not same(kept[0], kept[1])
