"""`fedmed new`: writes a small method that works, to be changed into one's own."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from fedmed.cli.arguments import Parser
from fedmed.errors import refuse
from fedmed.files import write_atomically
from fedmed.options.catalogue import discover, user_folders
from fedmed.options.groups import GROUPS, PACKAGE

TEMPLATE = '''\
"""{title}: a small method to start from. It keeps logits small, so that no client grows too sure of its own images.

The penalty is logit squeezing (Kannan, Kurakin, Goodfellow, 2018, arXiv 1803.06373).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from fedmed.method import Batch, Client, Method


@dataclass(frozen=True, kw_only=True)
class {title}(Method):
    """Adds strength * mean(logits^2) to the loss of every batch.

    strength: weight of the penalty (>= 0; 0 is FedAvg).
    """

    strength: Annotated[float, Ge(0)] = 0.001

    def penalty(self, client: Client, batch: Batch) -> Tensor:
        """The mean squared logit of the batch, times strength; scalar."""
        return self.strength * batch.logits.square().mean()  # (B, K) -> ()
'''


def main(arguments: list[str]) -> int:
    """Writes strategies/NAME.py and says how to run it."""
    parser = Parser("new", "Writes a small method that runs at once, to be changed into your own.")
    parser.add_argument("name", help="its name, such as my_method")
    where = "folder to write to (default: fedmed's own strategies/ in a checkout, else ./strategies)"
    parser.add_argument("--dir", type=Path, help=where)
    given = parser.parse_args(arguments)
    _check_name(given.name)
    folder: Path = given.dir or _folder()
    file = folder / f"{given.name}.py"
    if file.exists():
        raise refuse("fedmed new", "a file that does not exist yet", file, "Choose another name, or change that file.")
    write_atomically(file, TEMPLATE.format(title=given.name.title().replace("_", "")))
    choice = given.name if folder.resolve() in _searched() else file
    print(f"wrote {file}\n\nIt is a method already; change it into yours, and run it, or compare it:\n")
    print(f"  fedmed run strategy={choice}")
    print(f"  fedmed run --multirun strategy=fedavg,{choice} seed=0,1")
    return 0


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise refuse("fedmed new", "a name of small letters, digits and _", name, "For instance my_method.")
    catalogue = discover()
    if taken := catalogue.options["strategy"].get(name) or catalogue.broken["strategy"].get(name):
        raise refuse("fedmed new", "a name that is free", f"{name}, which is {taken.file}", "Choose another name.")


def _folder() -> Path:
    """The checkout's own strategies/ when called inside it, else the caller's."""
    own = PACKAGE.parent / "strategies"
    inside = own.is_dir() and not (PACKAGE / "strategies").is_dir() and Path.cwd().is_relative_to(PACKAGE.parent)
    folder = own if inside else Path("strategies").resolve()
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _searched() -> list[Path]:
    return [PACKAGE.parent / "strategies", *user_folders(GROUPS["strategy"])]
