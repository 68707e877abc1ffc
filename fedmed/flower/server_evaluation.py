"""The server's test images, scored batch by batch by whoever has room on a grid of this machine.

The nodes after the clients' hold a batch each (`fedmed.data.node_data`), and no memory. Tallies are merged in the
order of the batches, so that every sum has the bits that one process gives it.
"""

from __future__ import annotations

from typing import Any

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fedmed.client import Trainer
from fedmed.flower.faults import ClientFailure
from fedmed.flower.grid import LocalGrid
from fedmed.flower.messages import ARRAYS, CONFIG, OUTPUTS, ask, client_id
from fedmed.flower.records import pack, unpack
from fedmed.method import Payload
from fedmed.metrics import Tally

TEST = "test"


def score_batches(app: ClientApp, trainer: Trainer) -> None:
    """Lets the app answer query.test: what a tally adds up of the batch that its node holds."""

    @app.query(TEST)
    def test(message: Message, context: Context) -> Message:
        arrays: Any = message.content[ARRAYS]
        config: Any = message.content[CONFIG]
        trainer.load(unpack(arrays))
        tally = trainer.assess(trainer.share(client_id(context)).test, "test", thorough=bool(config["thorough"]))
        return Message(RecordDict({OUTPUTS + TEST: pack(tally.carried())}), reply_to=message)


def assess(grid: LocalGrid, shared: Payload, into: Tally, batches: int, *, thorough: bool = False) -> Tally:
    """The tally of the weights on the server's test images. into: an empty one. batches: how many these images make."""
    content = ask(pack(shared), {}, {"thorough": thorough})
    first = len(list(grid.get_node_ids())) + 1
    limit, grid.client_timeout = grid.client_timeout, None  # of clients: the server waits for itself
    try:
        for answer in grid.stream([Message(content, first + n, f"query.{TEST}") for n in range(batches)]):
            if isinstance(answer, ClientFailure):
                raise answer.error
            arrays: Any = answer.content[OUTPUTS + TEST]
            into.merge(unpack(arrays))  # at once: an answer is lent until the next one comes
    finally:
        grid.client_timeout = limit
    return into
