from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fedmed.config.compose import compose
from fedmed.config.stored import check_values
from fedmed.config.validate import validate
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
    config: Any = OmegaConf.create(OmegaConf.to_container(compose()))
    OmegaConf.update(config, key, value, merge=False)
    with pytest.raises(UserError) as refused:
        check_values(config, FOLDER)
    assert refused.value.faults[0].where.startswith(f"kept/config.yaml: {key}")
    group = key.partition(".")[0]
    check_values(config, FOLDER, ["privacy"])
    with pytest.raises(UserError):
        check_values(config, FOLDER, [group])


@pytest.mark.parametrize("key", ["local_steps", "metrics", "clients", "device", "patience", "optimizer"])
def test_settings_that_an_earlier_version_lacked_are_at_their_defaults(key: str) -> None:
    config: Any = OmegaConf.create(OmegaConf.to_container(compose()))
    del config[key]
    assert validate(config) == []
