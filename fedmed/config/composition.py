"""What Hydra makes of overrides, or the one of them that it can make nothing of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

FAILURES = (HydraException, OmegaConfBaseException, ValueError, TypeError, ArithmeticError, AttributeError)
"""What Hydra raises on words that it parses and can make nothing of."""


class Composed(NamedTuple):
    """A run's config, and the directory that Hydra gives it."""

    config: DictConfig
    directory: Path


def composed(overrides: Sequence[str]) -> Composed:
    """What Hydra composes of the overrides; raises one of FAILURES, also where a value refers to what there is not."""
    config = hydra.compose("config", list(overrides), return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    directory = Path(config.hydra.run.dir)
    with open_dict(config):
        del config["hydra"]
    OmegaConf.to_container(config, resolve=True)
    return Composed(config, directory)


def chosen(overrides: Sequence[str]) -> dict[str, Any]:
    """The values under some choices, with all else at its default; raises one of FAILURES."""
    values: Any = OmegaConf.to_container(hydra.compose("config", list(overrides)))
    return values  # type: ignore[no-any-return]


def superfluous(overrides: Sequence[str], composing: Callable[[Sequence[str]], object]) -> str | None:
    """The last override without which the others compose; None where there is no such one."""
    for at in reversed(range(len(overrides))):
        try:
            composing([*overrides[:at], *overrides[at + 1 :]])
        except FAILURES:
            continue
        return overrides[at]
    return None
