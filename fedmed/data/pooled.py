"""The centralised reference: all that clients hold, as they annotated it, in the hands of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fedmed.data.examples import Examples
from fedmed.data.world import Audit, Share, World


def pooled(world: World) -> World:
    """The world with one client that holds every image; its rounds have the steps of all clients together."""
    shares, sizes = world.shares, [len(share.train) for share in world.shares]
    whole = Share(
        train=_joined([share.train for share in shares]),
        val=_joined([share.val for share in shares]),
        test=_joined([share.test for share in shares]),
        audit=_audited(shares),
        truth=_truth([share.truth for share in shares]),
        own_val=_own_val([share.own_val for share in shares]),
    )
    audit = Audit(
        shown=np.sum([a.shown for a in world.audit], axis=0),
        completeness=float(np.average([a.completeness for a in world.audit], weights=sizes)),
        annotated=np.average(np.broadcast_arrays(*(a.annotated for a in world.audit)), axis=0, weights=sizes),
        site=world.audit[0].site if len({a.site for a in world.audit}) == 1 else None,
    )
    return replace(world, shares=[whole], audit=[audit])


def _joined(parts: Sequence[Examples]) -> Examples:
    seen = None
    if any(part.seen is not None for part in parts):
        seen = torch.cat([_seen(part) for part in parts])
    known = [part.spacing for part in parts if part.spacing is not None]
    spacing = torch.cat(known) if len(known) == len(parts) else None
    return Examples(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]), seen, spacing)


def _seen(part: Examples) -> Tensor:
    return torch.ones_like(part.y, dtype=torch.bool) if part.seen is None else part.seen.expand_as(part.y)


def _audited(shares: Sequence[Share]) -> Examples | None:
    """True labels of all validation images; None where they are the given ones everywhere."""
    if all(share.audit is None for share in shares):
        return None
    return _joined([share.val if share.audit is None else share.audit for share in shares])


def _own_val(parts: Sequence[Examples | None]) -> Examples | None:
    known = [part for part in parts if part is not None]
    return _joined(known) if known else None


def _truth(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None
