"""How much training a run is, before it begins."""

from __future__ import annotations

from fedmed.data.batches import images_seen
from fedmed.engine.base import Workload
from fedmed.run.parts import Parts


def load_of(parts: Parts, *, done: int = 0) -> Workload:
    """What the rounds after the `done` ones come to."""
    chosen, sizes = parts.experiment, [len(share.train) for share in parts.world.shares]
    clients = chosen.clients_per_round or len(sizes)
    all_once = sum(images_seen(n, chosen.batch_size, epochs=chosen.epochs, steps=chosen.local_steps) for n in sizes)
    return Workload(clients, max(chosen.rounds - done, 0) * all_once * clients // len(sizes))
