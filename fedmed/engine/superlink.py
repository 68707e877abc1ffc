"""Flower's deployment runtime: the same app on a SuperLink and on SuperNodes, one per client, on any machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from fedmed.engine.base import Engine


@dataclass(frozen=True, kw_only=True)
class SuperlinkEngine(Engine):
    """A SuperLink of Flower's and its SuperNodes, one per client; fedmed deploy --local starts both for you.

    connection: name of the SuperLink in Flower's configuration (empty: its default).
    timeout: seconds that the server waits for the clients' answers in a round (> 0).
    """

    remote: ClassVar[bool] = True

    connection: str = ""
    timeout: Annotated[float, Gt(0)] = 3600.0

    def answers_within(self) -> float:
        return self.timeout
