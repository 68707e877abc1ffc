"""The row of a round, as it is kept in rounds.jsonl and shown while a run is under way."""

from __future__ import annotations

from collections.abc import Mapping

Row = Mapping[str, float | int | None]
"""A round that ended: `round`, `loss`, `seconds`, and after an evaluation `test.<metric>` and others."""

SCOPES = ("test", "val", "client.mean", "adapted.mean")
"""Where the metric is looked for in a round's row, first to last."""
