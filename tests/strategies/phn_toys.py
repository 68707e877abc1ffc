"""A federation of two opposite groups, for the tests of generated heads."""

from __future__ import annotations

from fedmed.data.examples import Examples
from tests.toys import TOYS, Held, Toy, classifier, multiclass


def exchanged(clients: int) -> Toy:
    """Clients of whom the second half calls every class the next one."""

    def images(rows: int, seed: int, turned: bool) -> Examples:
        given = multiclass(rows, seed)
        return Examples(given.x, (given.y + turned) % 3)

    def share(client: int) -> Held:
        turned, seed = client >= clients // 2, 100 * client
        train, val, test, own = (images(rows, seed + part, turned) for part, rows in enumerate((36, 6, 12, 12)))
        return Held(train, val, test, own_val=own)

    return Toy(
        task=TOYS["multiclass"].task, shares=tuple(map(share, range(clients))), make=lambda: classifier(3, norm=False)
    )
