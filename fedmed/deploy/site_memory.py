"""What a client keeps at its own site: its memory after each round that it trained in, so that a run can go on.

A SuperNode holds state in RAM only and forgets it with the run. Here the memory before round r is the newest file of
an earlier round, so a resumed run needs nothing from the server but the number of the round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.flower.messages import CONFIG, client_id
from fedmed.flower.records import load_memory, save_memory
from fedmed.rundir.tensors import pack_state, unpack_state

HOME = "~/.fedmed/site"
"""Where a site keeps memory unless its node config names another place as site-directory."""


def remember(message: Message, context: Context, app: ClientApp, *, checkpoint_every: int) -> Message:
    """The app's answer, with the client's memory read from the site's directory before, and kept there after training.

    checkpoint_every: rounds between the server's commits; older memory than a resumed run can ask for is removed.
    """
    config: Mapping[str, object] = message.content.config_records.get(CONFIG) or {}
    if "run" not in config:
        return app(message, context)
    if not re.fullmatch(r"\w[\w.-]*", str(config["run"])):
        raise refuse("run", "the label of a run", config["run"], "Do not trust this server: it is none of fedmed's.")
    round, training = int(str(config["server-round"])), message.metadata.message_type.startswith("train")
    folder = _home(context) / str(config["run"]) / f"client_{client_id(context)}"
    save_memory(_newest(folder, round if training else round + 1), context.state)
    reply = app(message, context)
    if training:
        _keep(folder, round, pack_state(load_memory(context.state), "client"))
        _prune(folder, round, committed=(round - 1) // checkpoint_every * checkpoint_every)
    return reply


def _home(context: Context) -> Path:
    return Path(str(context.node_config.get("site-directory", HOME))).expanduser()


def _rounds(folder: Path) -> dict[int, Path]:
    """The files of memory by the round after which they were written, oldest first."""
    return dict(sorted((int(path.stem.rpartition("_")[2]), path) for path in folder.glob("round_*.pt")))


def _newest(folder: Path, before: int) -> dict[str, object]:
    earlier = [path for round, path in _rounds(folder).items() if round < before]
    return unpack_state(earlier[-1].read_bytes(), earlier[-1]) if earlier else {}


def _keep(folder: Path, round: int, content: bytes) -> None:
    write_atomically(folder / f"round_{round}.pt", content)


def _prune(folder: Path, round: int, *, committed: int) -> None:
    """Removes memory of before the newest one that a commit may refer to, and of rounds that never counted."""
    files = _rounds(folder)
    base = max((r for r in files if r <= committed), default=0)
    for r, path in files.items():
        if r < base or r > round:
            path.unlink()
