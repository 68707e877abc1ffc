from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fedmed.config.compose import compose
from fedmed.config.stored import check_values
from fedmed.config.validate import validate
from fedmed.config.values import Config
from fedmed.errors import UserError

FOLDER = Path("kept")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("client_test", "\\"),
        ("clients", "three"),
        ("metrics", 3),
        ("scopes", None),
        ("seed", "x"),
        ("optimizer", 3),
        ("optimizer.lr", "fast"),
        ("optimizer.milestones", {"a": 1}),
        ("model.weights", {"a:1": None}),
        ("partition", "iid"),
        ("sampling", [1]),
        ("strategy", {"fedavg": 1}),
        ("dataset.images", 0.5),
    ],
)
def test_values_of_a_stored_config_are_checked_by_name(key: str, value: Any) -> None:
    values: Any = deepcopy(compose().values)
    above, _, name = key.rpartition(".")
    (values[above] if above else values)[name] = value
    config = Config(values)
    with pytest.raises(UserError) as refused:
        check_values(config, FOLDER)
    assert refused.value.faults[0].where.startswith(f"kept/config.yaml: {key}")
    group = key.partition(".")[0]
    check_values(config, FOLDER, ["privacy"])
    with pytest.raises(UserError):
        check_values(config, FOLDER, [group])


@pytest.mark.parametrize("key", ["local_steps", "metrics", "clients", "device", "patience", "optimizer"])
def test_settings_that_an_earlier_version_lacked_are_at_their_defaults(key: str) -> None:
    values = {name: value for name, value in compose().values.items() if name != key}
    assert validate(Config(values)) == []
